/* fuzz_config.c - any bytes as a configuration file.
 *
 * Oracles: settings stay inside their limits whatever the file says; a refusal says
 * something, in one line; what was read and is written back in the simplest form reads as
 * the same.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    char name[16];
    char listen[32];
    bool open;
    uint64_t threads, idle_ms, body_size;
    int format;
};

#define AT(member) offsetof(struct settings, member), sizeof(((struct settings *)0)->member)

static const struct config_row rows[] = {
    {"name", CONFIG_TEXT, AT(name), "demo", 1, 0, NULL, "Name."},
    {"device.listen", CONFIG_ADDRESS, AT(listen), "*:8443", 0, 0, NULL, "Where."},
    {"device.threads", CONFIG_COUNT, AT(threads), "2", 1, 64, NULL, "Threads."},
    {"device.idle", CONFIG_DURATION, AT(idle_ms), "30s", 1000, 86400000, NULL, "Idle."},
    {"device.body", CONFIG_SIZE, AT(body_size), "32K", 0, 1u << 30, NULL, "Body."},
    {"log.format", CONFIG_CHOICE, AT(format), "text", 0, 0, "text|json", "Form."},
    {"log.open", CONFIG_BOOL, AT(open), "no", 0, 0, NULL, "Open."},
};
static const struct config_table table = {rows, sizeof rows / sizeof rows[0]};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_config: %s\n", what);
        abort();
    }
}

static void write_quoted(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (const char *p = text; *p != '\0' && used + 3 < size; p++) {
        if (*p == '"' || *p == '\\') { out[used++] = '\\'; }
        out[used++] = *p;
    }
    out[used] = '\0';
}

static void check_round_trip(const struct settings *s)
{
    char name[64], listen[80], text[600];
    write_quoted(name, sizeof name, s->name);
    write_quoted(listen, sizeof listen, s->listen);
    int size = snprintf(text, sizeof text,
                        "name = \"%s\"\ndevice.listen = \"%s\"\ndevice.threads = %llu\n"
                        "device.idle = %llums\ndevice.body = %llu\nlog.format = %s\n"
                        "log.open = %s\n",
                        name, listen, (unsigned long long)s->threads,
                        (unsigned long long)s->idle_ms, (unsigned long long)s->body_size,
                        s->format ? "json" : "text", s->open ? "yes" : "no");
    struct settings again;
    struct config_error error;
    memset(&again, 0, sizeof again);
    enum moult_status st = config_parse(
        &table, "again", (struct config_text){text, (size_t)size}, &again, &error);
    must(st == MOULT_OK, error.text);
    must(strcmp(again.name, s->name) == 0 && strcmp(again.listen, s->listen) == 0 &&
             again.threads == s->threads && again.idle_ms == s->idle_ms &&
             again.body_size == s->body_size && again.format == s->format &&
             again.open == s->open,
         "what was written back reads differently");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s;
    struct config_error error;
    memset(&s, 0, sizeof s);
    config_defaults(&table, &s);
    enum moult_status st = config_parse(
        &table, "f", (struct config_text){(const char *)data, size}, &s, &error);
    must(strlen(s.name) >= 1 && strlen(s.name) < sizeof s.name, "name");
    must(strlen(s.listen) < sizeof s.listen, "listen");
    must(s.threads >= 1 && s.threads <= 64, "threads");
    must(s.idle_ms >= 1000 && s.idle_ms <= 86400000, "idle");
    must(s.body_size <= 1u << 30, "body");
    must(s.format == 0 || s.format == 1, "format");
    must((st == MOULT_OK) == (error.text[0] == '\0'),
         "a refusal without words, or the reverse");
    must(strchr(error.text, '\n') == NULL, "an error of two lines");
    if (st == MOULT_OK) { check_round_trip(&s); }
    return 0;
}
