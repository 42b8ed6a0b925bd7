/* settings.c - see settings.h. */
#include "examples/energy-meter/host/settings.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ports/sim/port.h"

/* --- What is stored ----------------------------------------------------------------------
 */

struct row {
    const char *key;
    size_t offset, size; /* in struct settings; text rows keep a byte for the NUL */
    bool is_text, is_needed;
};
#define TEXT(field, is_needed)                                                             \
    {                                                                                      \
#field, offsetof(struct settings, field), sizeof((struct settings *)0)->field,     \
            true, is_needed                                                                \
    }
static const struct row rows[] = {
    {"id", offsetof(struct settings, device_id), 16, false, true},
    {"table", offsetof(struct settings, table_digest), 32, false, true},
    TEXT(name, true),
    TEXT(server, true),
    TEXT(broker, false),
    TEXT(trigger, true),
    TEXT(ca, true),
    TEXT(ca_backup, false),
    TEXT(certificate, true),
    TEXT(key, true),
    TEXT(engine, false),
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static enum moult_status load_row(const struct moult_sim_nvs *nvs, const struct row *row,
                                  struct settings *out)
{
    uint32_t size = 0;
    uint32_t room = (uint32_t)row->size - row->is_text;
    enum moult_status st = moult_sim_nvs_get(nvs, MOULT_SIM_SPACE_DEVICE, row->key,
                                             (uint8_t *)out + row->offset, room, &size);
    if (st == MOULT_E_NOENT && !row->is_needed) { return MOULT_OK; }
    if (st == MOULT_E_IO || st == MOULT_E_NOENT) { return st; }
    return st == MOULT_OK && (row->is_text || size == row->size) ? MOULT_OK
                                                                 : MOULT_E_FORMAT;
}

enum moult_status settings_load(const struct moult_sim_nvs *nvs, struct settings *out)
{
    enum moult_trigger trigger;
    struct engine_numbers numbers;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        enum moult_status st = load_row(nvs, &rows[i], out);
        if (st != MOULT_OK) { return st; }
    }
    bool is_good =
        trigger_parse(out->trigger, &trigger) && engine_numbers_of(out, &numbers);
    return is_good ? MOULT_OK : MOULT_E_FORMAT;
}

enum moult_status settings_save(struct moult_sim_nvs *nvs, const struct settings *settings)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const uint8_t *value = (const uint8_t *)settings + rows[i].offset;
        size_t size = rows[i].is_text ? strlen((const char *)value) : rows[i].size;
        enum moult_status st =
            size ? moult_sim_nvs_set(nvs, MOULT_SIM_SPACE_DEVICE, rows[i].key, value,
                                     (uint32_t)size)
                 : moult_sim_nvs_erase(nvs, MOULT_SIM_SPACE_DEVICE, rows[i].key);
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}

bool trigger_parse(const char *text, enum moult_trigger *out)
{
    static const struct {
        const char *word;
        enum moult_trigger trigger;
    } words[] = {{"pull", MOULT_TRIGGER_PULL},
                 {"push", MOULT_TRIGGER_PUSH},
                 {"hybrid", MOULT_TRIGGER_HYBRID}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, text) == 0) {
            *out = words[i].trigger;
            return true;
        }
    }
    return false;
}

/* --- The engine's numbers ----------------------------------------------------------------
 */

#define NUMBER(field)                                                                      \
    {                                                                                      \
#field, offsetof(struct engine_numbers, config.field)                              \
    }
static const struct {
    const char *name;
    size_t offset; /* in struct engine_numbers */
} numbers_table[] = {
    NUMBER(interval_s),
    NUMBER(interval_min_s),
    NUMBER(cold_boot_wait_max_s),
    NUMBER(trial_interval_s),
    NUMBER(http_timeout_ms),
    NUMBER(backoff_first_ms),
    NUMBER(backoff_max_ms),
    NUMBER(transfer_tries_max),
    NUMBER(activations_max),
    NUMBER(failures_max),
    NUMBER(window),
    NUMBER(piece),
    NUMBER(rate_min_bps),
    NUMBER(transfer_deadline_s),
    NUMBER(progress_s),
    NUMBER(confirm_timeout_s),
    {"throttle_bps", offsetof(struct engine_numbers, throttle_bps)},
};
enum { NUMBER_COUNT = sizeof numbers_table / sizeof numbers_table[0] };

const char *engine_number_name(unsigned i)
{
    return i < NUMBER_COUNT ? numbers_table[i].name : NULL;
}

static bool parse_u32(const char *text, uint32_t *out)
{
    char *end;
    if (strcmp(text, "none") == 0) {
        *out = UINT32_MAX;
        return true;
    }
    if (*text < '0' || *text > '9') { return false; }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || number > UINT32_MAX) { return false; }
    *out = (uint32_t)number;
    return true;
}

bool engine_number_parse(const char *text, struct engine_numbers *numbers)
{
    const char *equals = strchr(text, '=');
    if (!equals) { return false; }
    size_t size = (size_t)(equals - text);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const char *name = numbers_table[i].name;
        if (strlen(name) != size || memcmp(name, text, size) != 0) { continue; }
        uint32_t value;
        if (!parse_u32(equals + 1, &value)) { return false; }
        memcpy((uint8_t *)numbers + numbers_table[i].offset, &value, sizeof value);
        return true;
    }
    return false;
}

/* The line at *at, copied without its end; *at moves on. False: no more, or too long. */
static bool next_line(const char **at, char *out, size_t size)
{
    size_t length = strcspn(*at, "\n");
    if (length == 0 || length >= size) { return false; }
    memcpy(out, *at, length);
    out[length] = 0;
    *at += length + ((*at)[length] == '\n');
    return true;
}

bool engine_numbers_of(const struct settings *settings, struct engine_numbers *out)
{
    char line[64];
    const char *at = settings->engine;
    memset(out, 0, sizeof *out);
    while (next_line(&at, line, sizeof line)) {
        if (!engine_number_parse(line, out)) { return false; }
    }
    return *at == 0;
}

bool engine_number_set(struct settings *settings, const char *text)
{
    struct engine_numbers numbers;
    char kept[SETTINGS_ENGINE_SIZE], line[64];
    size_t size = 0, name = strcspn(text, "=");
    const char *at = settings->engine;
    if (!engine_number_parse(text, &numbers)) { return false; }
    while (next_line(&at, line, sizeof line)) {
        if (strncmp(line, text, name + 1) == 0) { continue; }
        int added = snprintf(kept + size, sizeof kept - size, "%s\n", line);
        size += (size_t)added; /* fits: it was there before */
    }
    int added = snprintf(kept + size, sizeof kept - size, "%s\n", text);
    if (added < 0 || (size_t)added >= sizeof kept - size) { return false; }
    memcpy(settings->engine, kept, size + (size_t)added + 1);
    return true;
}
