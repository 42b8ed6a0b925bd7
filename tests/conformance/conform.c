/* conform.c - see conform.h: runs promises, measures callbacks, prints. */
#include "tests/conformance/conform.h"
#include <stdarg.h>
#include <stdio.h>
#include "formats/bytes.h"
#include "tests/conformance/promise.h"

const struct conform_promise *const conform_groups[] = {
    conform_port,  conform_flash,     conform_region, conform_boot,
    conform_store, conform_transport, conform_rest,   NULL};

uint8_t conform_file_byte(uint32_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251);
}

/* --- Findings ------------------------------------------------------------------------- */

MOULT_PRINTF(2, 0)
static void note(struct conform *c, const char *format, va_list args)
{
    (void)vsnprintf(c->finding, sizeof c->finding, format,
                    args); /* for people: may be cut */
}

enum conform_verdict conform_broken(struct conform *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(c, format, args);
    va_end(args);
    return CONFORM_BROKEN;
}

enum conform_verdict conform_skipped(struct conform *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(c, format, args);
    va_end(args);
    return CONFORM_SKIPPED;
}

bool conform_equal(struct conform *c, long long found, long long expected, const char *what)
{
    if (found == expected) { return true; }
    (void)conform_broken(c, "expected %s to be %lld, found %lld", what, expected,
                         found); /* the caller returns it */
    return false;
}

bool conform_same(struct conform *c, const uint8_t *found, const uint8_t *expected,
                  size_t size, const char *what)
{
    for (size_t i = 0; i < size; i++) {
        if (found[i] == expected[i]) { continue; }
        (void)conform_broken(c, "expected %s, found byte %u of %u to be %02x, not %02x",
                             what, (unsigned)i, (unsigned)size, found[i],
                             expected[i]); /* the caller returns it */
        return false;
    }
    return true;
}

/* --- The port, measured --------------------------------------------------------------- */

static void measured(struct conform *c, uint64_t from, const char *name)
{
    uint64_t took = c->fixture->now_ms(c->fixture->context) - from;
    if (took > c->longest_ms) {
        c->longest_ms = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
        c->longest = name;
    }
}

/* result = the call, timed; then hand it back */
#define TIMED(type, name, arguments)                                                       \
    struct conform *c = context;                                                           \
    uint64_t from = c->fixture->now_ms(c->fixture->context);                               \
    type result = c->real->name arguments;                                                 \
    measured(c, from, #name);                                                              \
    return result

static int32_t t_read(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                      size_t size)
{
    TIMED(int32_t, flash_read, (c->real->context, slot, offset, out, size));
}

static int32_t t_erase(void *context, uint32_t slot, uint32_t offset)
{
    TIMED(int32_t, flash_erase, (c->real->context, slot, offset));
}

static int32_t t_write(void *context, uint32_t slot, uint32_t offset, const uint8_t *data,
                       size_t size)
{
    TIMED(int32_t, flash_write, (c->real->context, slot, offset, data, size));
}

static int32_t t_is_erased(void *context, uint32_t slot, uint32_t offset, size_t size,
                           bool *is_erased)
{
    TIMED(int32_t, flash_is_erased, (c->real->context, slot, offset, size, is_erased));
}

static int32_t t_running_read(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    TIMED(int32_t, running_read, (c->real->context, offset, out, size));
}

static int32_t t_boot_info(void *context, struct moult_boot_info *out)
{
    TIMED(int32_t, boot_info, (c->real->context, out));
}

static int32_t t_slot_state(void *context, uint32_t slot, enum moult_slot_state *out)
{
    TIMED(int32_t, slot_state, (c->real->context, slot, out));
}

static int32_t t_kv_get(void *context, const char *key, uint8_t *out, size_t capacity,
                        size_t *size)
{
    TIMED(int32_t, kv_get, (c->real->context, key, out, capacity, size));
}

static int32_t t_kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    TIMED(int32_t, kv_set, (c->real->context, key, data, size));
}

static int32_t t_kv_erase(void *context, const char *key)
{
    TIMED(int32_t, kv_erase, (c->real->context, key));
}

static int32_t t_start(void *context, const struct moult_http_request *request)
{
    TIMED(int32_t, http_start, (c->real->context, request));
}

static enum moult_http_event t_poll(void *context, uint8_t *buffer, size_t capacity,
                                    size_t *size, struct moult_http_reply *reply,
                                    struct moult_http_failure *failure)
{
    TIMED(enum moult_http_event, http_poll,
          (c->real->context, buffer, capacity, size, reply, failure));
}

static int32_t mark_valid(void *context)
{
    TIMED(int32_t, mark_valid, (c->real->context));
}

static void http_cancel(void *context)
{
    struct conform *c = context;
    uint64_t from = c->fixture->now_ms(c->fixture->context);
    c->real->http_cancel(c->real->context);
    measured(c, from, "http_cancel");
}

static bool draw(void *context, uint8_t *out, size_t size)
{
    TIMED(bool, random, (c->real->context, out, size));
}

#define WRAP(name, wrapper) c->port.name = c->real->name ? (wrapper) : NULL

static void wrap(struct conform *c)
{
    c->real = c->fixture->port(c->fixture->context);
    memset(&c->port, 0, sizeof c->port);
    c->port.context = c;
    c->port.slot_count = c->real->slot_count;
    c->port.slot_size = c->real->slot_size;
    WRAP(flash_read, t_read);
    WRAP(flash_erase, t_erase);
    WRAP(flash_write, t_write);
    WRAP(flash_is_erased, t_is_erased);
    WRAP(running_read, t_running_read);
    WRAP(boot_info, t_boot_info);
    WRAP(slot_state, t_slot_state);
    WRAP(mark_valid, mark_valid);
    WRAP(kv_get, t_kv_get);
    WRAP(kv_set, t_kv_set);
    WRAP(kv_erase, t_kv_erase);
    WRAP(http_start, t_start);
    WRAP(http_poll, t_poll);
    WRAP(http_cancel, http_cancel);
    WRAP(random, draw);
}

/* The first callback that every port has and this one has not; NULL: none. http_* and
 * random have promises of their own: a port may be made of two. */
static const char *missing(const struct moult_port *port)
{
    const struct {
        const char *name;
        bool is_there;
    } rows[] = {
        {"flash_read", port->flash_read != NULL},
        {"flash_erase", port->flash_erase != NULL},
        {"flash_write", port->flash_write != NULL},
        {"flash_is_erased", port->flash_is_erased != NULL},
        {"boot_info", port->boot_info != NULL},
        {"slot_state", port->slot_state != NULL},
        {"set_boot", port->set_boot != NULL},
        {"mark_valid", port->mark_valid != NULL},
        {"mark_invalid_and_reboot", port->mark_invalid_and_reboot != NULL},
        {"reboot", port->reboot != NULL},
        {"kv_get", port->kv_get != NULL},
        {"kv_set", port->kv_set != NULL},
        {"kv_erase", port->kv_erase != NULL},
        {"crypto", port->crypto != NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].is_there) { return rows[i].name; }
    }
    return NULL;
}

/* --- Acts shared by the groups -------------------------------------------------------- */

bool conform_slots(struct conform *c, uint32_t *free_slot, uint32_t *running)
{
    struct moult_boot_info info = {0};
    int32_t result = c->port.boot_info(c->port.context, &info);
    if (!conform_equal(c, result, 0, "the result of boot_info")) { return false; }
    if (c->port.slot_count < 2) {
        return conform_equal(c, c->port.slot_count, 2, "slot_count");
    }
    *running = info.running;
    *free_slot = info.running == MOULT_SLOT_NONE
                     ? 0
                     : (info.running + 1u) % c->port.slot_count; /* as the engine does */
    return true;
}

void conform_fill(uint8_t *out, size_t size, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        out[i] = (uint8_t)(x >> 24);
    }
}

bool conform_write_sector(struct conform *c, uint32_t slot, uint32_t offset, uint32_t seed)
{
    conform_fill(c->a, sizeof c->a, seed);
    int32_t result = c->port.flash_erase(c->port.context, slot, offset);
    if (!conform_equal(c, result, 0, "the result of flash_erase in a free slot")) {
        return false;
    }
    result = c->port.flash_write(c->port.context, slot, offset, c->a, sizeof c->a);
    return conform_equal(c, result, 0, "the result of flash_write of an erased sector");
}

bool conform_sector_holds(struct conform *c, uint32_t slot, uint32_t offset, uint32_t seed,
                          const char *what)
{
    conform_fill(c->a, sizeof c->a, seed);
    int32_t result = c->port.flash_read(c->port.context, slot, offset, c->b, sizeof c->b);
    return conform_equal(c, result, 0, "the result of flash_read") &&
           conform_same(c, c->b, c->a, sizeof c->a, what);
}

void conform_arm(struct conform *c, uint32_t number)
{
    const struct conform_fixture *f = c->fixture;
    if (f->save) { f->save(f->context, &c->progress); } /* the act may not return */
    f->cut(f->context, number / f->cut_kinds + 1, number % f->cut_kinds);
}

/* --- Running -------------------------------------------------------------------------- */

static void print(struct conform *c, const char *word, const char *name)
{
    char line[CONFORM_TEXT_MAX + 96];
    bool has_more = c->finding[0] != 0;
    (void)snprintf(line, sizeof line, "%-7s %s%s%s\n", word, name, has_more ? ": " : "",
                   c->finding); /* for people: may be cut */
    c->fixture->print(c->fixture->context, line);
}

/* One phase. On a chip, a reset inside it comes back to the next one. */
static enum conform_verdict run_phase(struct conform *c,
                                      const struct conform_promise *promise)
{
    const struct conform_fixture *f = c->fixture;
    c->phase = c->progress.phase;
    if (c->phase == 0) {
        memset(c->progress.note, 0, sizeof c->progress.note);
        if (!f->fresh(f->context)) {
            return conform_broken(c, "expected a fresh device, found that fresh() failed");
        }
    }
    if (c->phase == CONFORM_PHASES_MAX) {
        return conform_broken(c, "expected an end within %u resets, found none",
                              CONFORM_PHASES_MAX);
    }
    c->progress.phase++;
    if (f->save) { f->save(f->context, &c->progress); }
    wrap(c);
    const char *gap = missing(c->real);
    if (gap) { return conform_broken(c, "expected the callback %s, found NULL", gap); }
    return promise->step(c);
}

static enum conform_verdict run_promise(struct conform *c,
                                        const struct conform_promise *promise)
{
    const struct conform_fixture *f = c->fixture;
    for (;;) {
        c->finding[0] = 0;
        c->longest_ms = 0;
        c->how = MOULT_RESET_SOFTWARE;
        enum conform_verdict verdict = run_phase(c, promise);
        if (verdict != CONFORM_RESTART) { return verdict; }
        if (f->save) {
            f->save(f->context, &c->progress);
        } /* with the notes of this phase */
        if (!f->restart(f->context, c->how)) {
            return conform_broken(c,
                                  "expected a device that boots, found one that does not");
        }
    }
}

static void count(struct conform *c, const char *name, enum conform_verdict verdict)
{
    switch (verdict) {
    case CONFORM_KEPT:
        c->finding[0] = 0;
        c->progress.kept++;
        print(c, "ok", name);
        break;
    case CONFORM_SKIPPED:
        c->progress.skipped++;
        print(c, "skipped", name);
        break;
    default:
        c->progress.broken++;
        print(c, "FAILED", name);
        break;
    }
    c->progress.phase = 0;
}

static int report(struct conform *c)
{
    char line[96];
    const struct conform_progress *p = &c->progress;
    (void)snprintf(line, sizeof line, "%u kept, %u broken, %u skipped\n", p->kept,
                   p->broken, p->skipped); /* fits */
    c->fixture->print(c->fixture->context, line);
    if (p->kept + p->broken + p->skipped == 0) { return 2; }
    return p->broken > 0 ? 1 : 0;
}

int conform_run(struct conform *c, const struct conform_fixture *fixture,
                const struct conform_promise *const *groups, const char *prefix,
                const struct conform_progress *progress)
{
    c->fixture = fixture;
    c->progress = *progress;
    uint16_t index = 0;
    for (; *groups; groups++) {
        for (const struct conform_promise *p = *groups; p->name; p++, index++) {
            bool is_asked = strncmp(p->name, prefix, strlen(prefix)) == 0;
            if (index < progress->promise || !is_asked) { continue; }
            c->progress.promise = index;
            count(c, p->name, run_promise(c, p));
        }
    }
    return report(c);
}
