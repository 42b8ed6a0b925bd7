/* session.c - see moult/update.h: configuration, the one switch over states, and the small
 * calls. Design: docs/design/device-session.md. */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"

const uint32_t moult_state_next[MOULT_STATE_COUNT] = {
#define X(name, waits, next) [MOULT_STATE_##name] = (next),
    MOULT_STATES(X)
#undef X
};

/* --- configuration --- */

/* A number of the configuration: 0 means the default; otherwise it must lie within the
 * bounds. */
static bool settle(uint32_t *value, uint32_t preset, uint32_t least, uint32_t most)
{
    if (*value == 0) { *value = preset; }
    return *value >= least && *value <= most;
}

static bool settle_numbers(struct moult_config *c)
{
    enum { DAY = 86400 };
    bool is_good = settle(&c->interval_s, 3600, 1, MOULT_INTERVAL_MAX_S);
    is_good &= settle(&c->interval_min_s, 30, 1, DAY);
    is_good &= c->cold_boot_wait_max_s == UINT32_MAX ||
               settle(&c->cold_boot_wait_max_s, 300, 1, DAY);
    is_good &= settle(&c->trial_interval_s, 60, 1, DAY);
    is_good &= settle(&c->http_timeout_ms, 30000, 100, 600000);
    is_good &= settle(&c->backoff_first_ms, 2000, 1, DAY * 1000u);
    is_good &= settle(&c->backoff_max_ms, 900000, c->backoff_first_ms, DAY * 1000u);
    is_good &= settle(&c->transfer_tries_max, 8, 1, 255);
    is_good &= settle(&c->activations_max, 3, 1, 100);
    is_good &= settle(&c->failures_max, 2, 1, 255);
    is_good &= settle(&c->window, 65536, MOULT_SECTOR_SIZE, 1048576);
    is_good &= c->window % MOULT_SECTOR_SIZE == 0;
    is_good &= settle(&c->piece, MOULT_SECTOR_SIZE, 1, MOULT_SECTOR_SIZE);
    is_good &= settle(&c->rate_min_bps, 64, 1, UINT32_MAX);
    is_good &= settle(&c->transfer_deadline_s, DAY, 1, MOULT_INTERVAL_MAX_S);
    is_good &= settle(&c->progress_s, 30, 1, DAY);
    is_good &= settle(&c->confirm_timeout_s, 300, 1, DAY);
    return is_good;
}

static bool is_printable(const char *text, size_t least, size_t most)
{
    size_t size = 0;
    if (!text) { return false; }
    for (; text[size] != '\0'; size++) {
        if (size == most || text[size] < 0x20 || text[size] > 0x7e) { return false; }
    }
    return size >= least;
}

static bool are_attributes_good(const struct moult_config *c)
{
    size_t size = 0;
    if (c->attribute_count > MOULT_ATTRIBUTES_MAX) { return false; }
    for (uint32_t i = 0; i < c->attribute_count; i++) {
        const struct moult_attribute *a = &c->attributes[i];
        if (!is_printable(a->name, 1, MOULT_ATTRIBUTE_NAME_MAX) ||
            !is_printable(a->value, 0, MOULT_ATTRIBUTE_VALUE_MAX)) {
            return false;
        }
        size += strlen(a->name) + strlen(a->value) + 5; /* array and two text heads */
    }
    return size <= MOULT_ATTRIBUTES_SIZE;
}

static bool is_config_good(struct moult_config *c)
{
    enum { BASE_MIN = 9, BASE_MAX = 128 };
    return settle_numbers(c) && is_printable(c->base_url, BASE_MIN, BASE_MAX) &&
           strncmp(c->base_url, "https://", 8) == 0 &&
           c->base_url[strlen(c->base_url) - 1] != '/' &&
           c->trigger <= MOULT_TRIGGER_PUSH &&
           (!c->serial || is_printable(c->serial, 1, MOULT_FACTS_SERIAL_MAX)) &&
           are_attributes_good(c);
}

static bool is_port_whole(const struct moult_port *p)
{
    bool has_flash =
        p->flash_read && p->flash_erase && p->flash_write && p->flash_is_erased;
    bool has_boot = p->boot_info && p->slot_state && p->set_boot && p->mark_valid &&
                    p->mark_invalid_and_reboot && p->reboot;
    bool has_rest = p->kv_get && p->kv_set && p->kv_erase && p->http_start &&
                    p->http_poll && p->http_cancel && p->crypto && p->random;
    return has_flash && has_boot && has_rest && p->slot_count >= 2 && p->slot_count <= 16 &&
           p->slot_size >= 2 * MOULT_SECTOR_SIZE && p->slot_size % MOULT_SECTOR_SIZE == 0 &&
           p->slot_size <= MOULT_ESP_IMAGE_SIZE_MAX;
}

enum moult_status moult_session_init(struct moult_session *s, const struct moult_port *port,
                                     const struct moult_config *config)
{
    assert(s && port && config);
    memset(s, 0, sizeof *s);
    s->port = port;
    s->config = *config;
    if (!is_port_whole(port) || !is_config_good(&s->config)) { return MOULT_E_ARG; }
    s->contact.interval_s = s->config.interval_s;
    s->contact.facts_due = true;
    s->contact.next_state = MOULT_STATE_IDLE;
    return MOULT_OK;
}

enum moult_status moult_health_add(struct moult_session *s,
                                   const struct moult_health_check *check)
{
    enum { NAME_MAX_SIZE = 32 };
    if (!check->run || !is_printable(check->name, 1, NAME_MAX_SIZE)) { return MOULT_E_ARG; }
    if (s->trial.count == MOULT_HEALTH_MAX) { return MOULT_E_SPACE; }
    s->trial.checks[s->trial.count++] = *check;
    return MOULT_OK;
}

/* --- the machine --- */

static void enter(struct moult_session *s, enum moult_state next)
{
    assert(s->state < MOULT_STATE_COUNT && next < MOULT_STATE_COUNT);
    if (next == s->state) { return; }
    assert(moult_state_next[s->state] & (1u << next));
    moult_note(s, MOULT_LOG_DEBUG, MOULT_LOG_STATE, s->state, next);
    bool is_rest = next == MOULT_STATE_IDLE || next == MOULT_STATE_CLASSIFY ||
                   next == MOULT_STATE_REBOOT;
    if (is_rest) { moult_hash_end(s); }
    s->state = (uint8_t)next;
    s->phase = 0;
}

/* --- components: linked with moult_component_add() only --- */

bool moult_components_are_due(const struct moult_session *s)
{
    return s->parts.hooks && s->parts.hooks->is_due(s);
}

enum moult_state moult_state_COMPONENT(struct moult_session *s)
{
    return s->parts.hooks ? s->parts.hooks->stage(s) : MOULT_STATE_IDLE;
}

enum moult_state moult_state_APPLY(struct moult_session *s)
{
    return s->parts.hooks ? s->parts.hooks->apply(s) : MOULT_STATE_IDLE;
}

static enum moult_state work(struct moult_session *s)
{
    switch ((enum moult_state)s->state) {
#define X(name, waits, next)                                                               \
    case MOULT_STATE_##name:                                                               \
        return moult_state_##name(s);
        MOULT_STATES(X)
#undef X
    case MOULT_STATE_COUNT:
        break;
    }
    return MOULT_STATE_IDLE;
}

enum moult_step moult_step(struct moult_session *s, uint64_t now_ms)
{
    assert(s->port);
    s->now_ms = now_ms;
    s->wait_until_ms = 0;
    enum moult_state next = moult_trial_tick(s);
    if (next == s->state) { next = work(s); }
    enter(s, next);
    if (s->is_rebooting) { return MOULT_STEP_REBOOT; }
    return s->wait_until_ms > now_ms ? MOULT_STEP_WAIT : MOULT_STEP_AGAIN;
}

uint32_t moult_wait_ms(const struct moult_session *s, uint64_t now_ms)
{
    enum { HOUR_MS = 3600000, HEALTH_MS = 1000 };
    uint64_t until = s->wait_until_ms;
    if (s->state == MOULT_STATE_IDLE && s->contact.due_ms < until) {
        until = s->contact.due_ms; /* a wake came after the step */
    }
    if (until <= now_ms) { return 0; }
    uint64_t wait = until - now_ms;
    uint32_t most = s->trial.is_on ? HEALTH_MS : HOUR_MS;
    return wait < most ? (uint32_t)wait : most;
}

/* --- what an application may say and ask --- */

void moult_pause(struct moult_session *s)
{
    s->is_paused = true;
}

void moult_resume(struct moult_session *s)
{
    s->is_paused = false;
    s->wait_until_ms = 0;
}

void moult_throttle(struct moult_session *s, uint32_t bytes_per_s)
{
    s->transfer.throttle_bps = bytes_per_s;
    s->transfer.next_ms = 0;
}

bool moult_on_trial(const struct moult_session *s)
{
    return s->trial.is_on;
}

enum moult_status moult_reject(struct moult_session *s)
{
    if (!s->trial.is_on) { return MOULT_E_STATE; }
    s->trial.is_rejected = true;
    return MOULT_OK;
}

void moult_progress(const struct moult_session *s, struct moult_progress *out)
{
    bool has_plan = s->plan.stage != MOULT_STAGE_NONE;
    *out = (struct moult_progress){
        .state = s->state,
        .detail = s->trouble.detail,
        .offset = has_plan ? s->transfer.mark.offset : 0,
        .size = has_plan ? s->plan.size : 0,
        .sequence = s->running.info.sequence,
        .offered = has_plan ? s->plan.sequence : 0,
        .reports = moult_outbox_count(s),
        .on_trial = s->trial.is_on,
    };
}
