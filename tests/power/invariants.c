/* invariants.c - what must hold in every run: I1 to I18, one function each and moment.
 *
 * The claims are those of docs/design/power-suite.md. A function answers for the whole
 * run; where damage that no device can undo was done to it on purpose (a deep schedule
 * erases the store, or flips a bit of otadata), it says what still must hold.
 */
#include <malloc.h>
#include <string.h>
#include "device/src/journal.h"
#include "device/src/record.h"
#include "device/src/session_states.h"
#include "formats/bytes.h"
#include "ports/sim/chip.h"
#include "tests/power/power.h"

enum { ACTIVATIONS_MAX = 3 }; /* the engine's bound, and the default of its configuration */

static bool is_kind(const struct power_run *run, enum power_event_kind kind)
{
    return run->h.kinds >> kind & 1;
}

/* Cells that read differently each time: the journal is read, but not always the same. */
static bool is_blurred(const struct power_run *run)
{
    for (unsigned i = 0; i < run->h.cuts && i < run->schedule.cut_count; i++) {
        const struct power_cut *cut = &run->schedule.cuts[i];
        if (power_faults[cut->fault].fault == MOULT_SIM_CUT_WEAK) { return true; }
    }
    return false;
}

/* The store may have lost what it knew, or never took it. */
static bool is_store_harmed(const struct power_run *run)
{
    return is_kind(run, POWER_EVENT_FLIP) || is_kind(run, POWER_EVENT_NO_NVS) ||
           is_kind(run, POWER_EVENT_FULL) || is_kind(run, POWER_EVENT_FAIL) ||
           is_kind(run, POWER_EVENT_NOOP) || is_kind(run, POWER_EVENT_LIE) ||
           is_blurred(run);
}

/* Something was done that a story without it does not answer for. */
static bool is_harmed(const struct power_run *run)
{
    return run->h.events > 0 || run->h.cuts >= ACTIVATIONS_MAX || is_blurred(run);
}

static const struct power_story *story_of(const struct power_run *run)
{
    return &power_stories[run->story];
}

static const uint8_t *target_of(const struct power_run *run)
{
    return world_slot(&run->w, run->w.target);
}

static bool is_sector_as_first(const struct power_run *run, uint32_t at, uint32_t size)
{
    return memcmp(run->w.device.bits + at, power_first_flash() + at, size) == 0;
}

/* --- I1 always bootable, and the client runs --- */

static bool i1_boots(const struct power_run *run)
{
    return !run->h.is_bricked;
}

static bool i1_runs(const struct power_run *run)
{
    return !run->h.has_hung && strcmp(world_state(&run->w), "IDLE") == 0;
}

/* --- I2 the old image or the new one, byte for byte --- */

static bool i2_one_of_two(const struct power_run *run)
{
    return world_runs(&run->w, &run->w.old) || world_runs(&run->w, &run->w.new);
}

/* --- I3 never unapproved, never below the floor; floors follow the confirmation --- */

/* Until everything about the new image is proven no bootloader accepts its slot. What the
 * slot held before was approved in its day, as long as it is whole. */
static bool i3_proven_or_dead(const struct power_run *run)
{
    const struct world *w = &run->w;
    bool is_proven = w->stage >= MOULT_STAGE_VERIFIED || world_runs(w, &w->new) ||
                     (run->h.was_proven && run->h.events > 0); /* a slot that cannot be
                                                                  erased stays */
    if (is_proven || !world_slot_boots(w, w->target)) { return true; }
    uint32_t at = sim_partition_at(w->target);
    return is_sector_as_first(run, at, SIM_SLOT_SIZE);
}

static bool i3_floors(const struct power_run *run)
{
    const struct world *w = &run->w;
    uint32_t burnt = power_burnt(w);
    bool is_raised = w->session.floor.stored > 1 || burnt > 0;
    bool may_be = run->h.was_confirmed || (burnt == 0 && run->h.was_adopted);
    /* app_update does not read back what it wrote before it burns. */
    return !is_raised || may_be || is_kind(run, POWER_EVENT_NOOP);
}

/* Once it is confirmed there is no way back, unless otadata itself is damaged. */
static bool i3_no_way_back(const struct power_run *run)
{
    bool is_damaged = is_kind(run, POWER_EVENT_FLIP) || is_kind(run, POWER_EVENT_NOOP) ||
                      is_kind(run, POWER_EVENT_READ);
    bool is_final = run->h.was_confirmed && power_configs[run->config].has_rollback;
    return !is_final || is_damaged || world_runs(&run->w, &run->w.new);
}

/* --- I4 the running slot, I5 outside, I6 impossible writes --- */

static bool is_panic(const struct power_run *run, const char *what)
{
    return run->w.seen.panic && strstr(run->w.seen.panic, what) != NULL;
}

static bool i4_running_slot(const struct power_run *run)
{
    return !is_panic(run, "running slot");
}

static bool i5_no_panic(const struct power_run *run)
{
    return !is_panic(run, "outside");
}

/* Everything but NVS, otadata and the target slot is as it was. */
static bool i5_rest_as_before(const struct power_run *run)
{
    uint32_t target = sim_partition_at(run->w.target), behind = target + SIM_SLOT_SIZE;
    return is_sector_as_first(run, 0, SIM_NVS_AT) &&
           is_sector_as_first(run, SIM_OTADATA_AT + 0x2000,
                              target - SIM_OTADATA_AT - 0x2000) &&
           is_sector_as_first(run, behind, SIM_FLASH_SIZE - behind);
}

/* A cell that rotted is programmed in good faith; then the driver reads it back. */
static bool i6_no_panic(const struct power_run *run)
{
    bool is_rotten = is_kind(run, POWER_EVENT_FLIP) &&
                     (is_panic(run, "from 0 to 1") || is_panic(run, "second program"));
    return !run->w.seen.panic || is_rotten;
}

/* --- I7 convergence, I8 bounds --- */

static bool i7_comes_to_rest(const struct power_run *run)
{
    return !run->h.has_hung && !run->w.device.chip.flash.is_off;
}

static bool i7_at_the_end_of_the_story(const struct power_run *run)
{
    if (run->h.orders > 0) { return world_runs(&run->w, &run->w.new); }
    if (is_harmed(run)) { return true; } /* either end; I10 says which is told */
    bool is_new = world_runs(&run->w, &run->w.new);
    return is_new == (story_of(run)->end == POWER_ENDS_NEW);
}

/* What a device has lived through: each cut and each order may cost it as much as an update
 * without a fault; an operation that fails is tried three times. */
static unsigned lives(const struct power_run *run)
{
    return 1 + run->h.cuts + 3 * run->h.events + run->h.orders;
}

static bool i8_boots(const struct power_run *run)
{
    return run->h.boots <= POWER_BOOTS * lives(run);
}

struct power_wear power_wear_of(const struct power_run *run)
{
    struct power_wear wear = {.kv_sets = run->w.seen.kv_sets};
    uint32_t first = sim_partition_at(run->w.target) / MOULT_SECTOR_SIZE;
    for (uint32_t i = 0; i < POWER_SECTORS; i++) {
        unsigned *most = i == first                                ? &wear.slot_first
                         : i >= SIM_SLOT_0_AT / MOULT_SECTOR_SIZE  ? &wear.slot_other
                         : i >= SIM_OTADATA_AT / MOULT_SECTOR_SIZE ? &wear.otadata
                                                                   : &wear.nvs;
        if (run->erases[i] > *most) { *most = run->erases[i]; }
    }
    return wear;
}

static bool i8_wear(const struct power_run *run)
{
    struct power_wear wear = power_wear_of(run);
    unsigned times = lives(run);
    return wear.slot_first <= POWER_WEAR_FIRST * times &&
           wear.slot_other <= POWER_WEAR_OTHER * times &&
           wear.otadata <= POWER_WEAR_OTADATA * times &&
           wear.nvs <= POWER_WEAR_NVS * times && wear.kv_sets <= POWER_WEAR_SETS * times;
}

/* --- I9 resume --- */

/* The running hash is the hash of what is on flash up to the mark. */
static bool i9_hashed(const struct power_run *run)
{
    const struct moult_session *s = &run->w.session;
    uint32_t size = s->transfer.mark.offset;
    bool is_fetching = strcmp(world_state(&run->w), "FETCH") == 0;
    if (!is_fetching || size == 0 || is_kind(run, POWER_EVENT_FLIP)) { return true; }
    const struct moult_crypto *crypto = &run->w.device.crypto;
    struct moult_sha256 hash = s->hash, flash;
    uint8_t found[32], expected[32];
    bool is_done = crypto->sha256_init(crypto->context, &flash) &&
                   crypto->sha256_update(crypto->context, &flash, s->plan.head,
                                         MOULT_ESP_HELD_BACK_SIZE) &&
                   crypto->sha256_update(crypto->context, &flash,
                                         target_of(run) + MOULT_ESP_HELD_BACK_SIZE,
                                         size - MOULT_ESP_HELD_BACK_SIZE) &&
                   crypto->sha256_final(crypto->context, &flash, expected) &&
                   crypto->sha256_final(crypto->context, &hash, found);
    return is_done && memcmp(found, expected, 32) == 0;
}

/* A cut costs at most the sector that was not marked yet. */
static bool i9_refetches(const struct power_run *run)
{
    const struct world *w = &run->w;
    bool is_refused = story_of(run)->result == MOULT_REPORT_FAILED;
    if (run->h.events > 0 || is_refused) { return true; }
    /* Two cuts, in the head and in the rewrite of its sector, cost the image once more. */
    uint64_t orders = 1u + run->h.orders + run->h.cuts / 2;
    return w->artifact_bytes <=
           w->new.size *orders + (uint64_t)MOULT_SECTOR_SIZE * run->h.cuts;
}

/* --- I10 the final report --- */

static bool is_answer_to_a_late_order(const struct world_report *r)
{
    return r->kind == MOULT_REPORT_FAILED &&
           (r->detail == MOULT_D_ATTEMPTS || r->detail == MOULT_D_BLOCKED);
}

static unsigned finals(const struct power_run *run, enum moult_report_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < run->w.report_count; i++) {
        const struct world_report *r = &run->w.reports[i];
        bool is_ours = memcmp(r->deployment, run->w.deployment, 16) == 0;
        bool is_late = run->w.keeps_offering && is_answer_to_a_late_order(r);
        count += is_ours && !is_late && r->kind == kind;
    }
    return count;
}

static bool i10_one_final(const struct power_run *run)
{
    unsigned confirmed = finals(run, MOULT_REPORT_CONFIRMED),
             back = finals(run, MOULT_REPORT_ROLLED_BACK),
             failed = finals(run, MOULT_REPORT_FAILED);
    bool is_new = world_runs(&run->w, &run->w.new);
    if (!is_harmed(run) && run->h.orders == 0) {
        enum moult_report_kind kind = story_of(run)->result;
        return confirmed == (kind == MOULT_REPORT_CONFIRMED) &&
               back == (kind == MOULT_REPORT_ROLLED_BACK) &&
               failed == (kind == MOULT_REPORT_FAILED);
    }
    if (run->h.orders > 0) { return confirmed == 1 && back + failed == 0; }
    if (is_store_harmed(run)) { return true; } /* the check-in itself: next function */
    return is_new ? confirmed == 1 : confirmed == 0;
}

/* Not silent: what the last check-in said is what runs. */
static bool i10_says_what_runs(const struct power_run *run)
{
    const struct world *w = &run->w;
    bool is_new = world_runs(w, &w->new);
    return w->last_checkin.running_sequence == (is_new ? w->new.sequence : w->old.sequence);
}

/* --- I11 what is tried again --- */

static bool i11_not_after_a_verdict(const struct power_run *run)
{
    bool is_lost = run->h.requests_at_verdict > 0;
    return !is_lost || run->h.orders > 0 || is_store_harmed(run) ||
           !run->w.keeps_offering || run->w.artifact_requests == run->h.requests_at_verdict;
}

/* --- I12 the journal can be read, and recovery is the same twice --- */

static bool loads(struct moult_session *s, struct world *w)
{
    struct moult_sim_nvs *nvs = &w->device.port.nvs;
    uint32_t size = nvs->page_count * MOULT_SECTOR_SIZE;
    if (moult_sim_nvs_mount(nvs, &w->device.chip.flash, nvs->offset, size, true) !=
            MOULT_OK ||
        moult_session_init(s, &w->port, &w->config) != MOULT_OK) {
        return false;
    }
    for (unsigned i = 0; i < 10 && s->state == MOULT_STATE_LOAD; i++) {
        if (moult_step(s, w->now_ms) == MOULT_STEP_REBOOT) { return false; }
    }
    bool has_mark =
        s->plan.stage != MOULT_STAGE_NONE && moult_journal_load_mark(s, false) == MOULT_OK;
    if (!has_mark) { memset(&s->transfer.mark, 0, sizeof s->transfer.mark); }
    return s->state == MOULT_STATE_MEASURE;
}

static bool is_same_memory(const struct moult_session *a, const struct moult_session *b)
{
    return memcmp(&a->plan, &b->plan, sizeof a->plan) == 0 &&
           memcmp(&a->transfer.mark, &b->transfer.mark, sizeof a->transfer.mark) == 0 &&
           memcmp(&a->floor, &b->floor, sizeof a->floor) == 0 &&
           memcmp(a->orders, b->orders, sizeof a->orders) == 0 &&
           memcmp(a->blocks, b->blocks, sizeof a->blocks) == 0 &&
           a->trust.keyset.version == b->trust.keyset.version &&
           memcmp(a->outbox.number, b->outbox.number, sizeof a->outbox.number) == 0 &&
           memcmp(a->outbox.kind, b->outbox.kind, sizeof a->outbox.kind) == 0;
}

static bool i12_recovers_twice(const struct power_run *run)
{
    static struct power_run aside;
    static struct moult_session once, twice;
    struct power_run *here = power_live();
    bool was_mounted = run->w.device.port.nvs.flash != NULL && run->w.session.port;
    if (run != here || !was_mounted) { return true; } /* the cut was the bootloader's */
    power_save(&aside);
    struct moult_sim_flash *flash = &here->w.device.chip.flash;
    memset(flash->plans, 0, sizeof flash->plans);
    moult_sim_flash_power_on(flash);
    bool is_good = loads(&once, &here->w) && loads(&twice, &here->w);
    if (is_good && !is_blurred(run)) { is_good = is_same_memory(&once, &twice); }
    power_restore(&aside);
    return is_good;
}

/* A record counts once it is in the store: the generation that RAM goes by is there, also
 * where the store lied. */
static bool i12_is_stored(const struct power_run *run)
{
    const struct world *w = &run->w;
    const struct moult_session *s = &run->w.session;
    uint32_t generation = s->generation[MOULT_RECORD_PLAN];
    bool is_asked = is_kind(run, POWER_EVENT_LIE) && s->state > MOULT_STATE_MEASURE &&
                    !is_kind(run, POWER_EVENT_FLIP) && !is_kind(run, POWER_EVENT_NO_NVS) &&
                    !is_kind(run, POWER_EVENT_READ) && !is_blurred(run) && generation > 0;
    if (!is_asked) { return true; }
    uint8_t frame[MOULT_RECORD_MAX];
    size_t size = 0;
    const char *key = generation & 1u ? "plan.1" : "plan.0";
    return w->sim.kv_get(w->port.context, key, frame, sizeof frame, &size) == 0 &&
           size > MOULT_RECORD_HEADER && get_le32(frame + 4) == generation;
}

/* --- I13 memory --- */

/* AddressSanitizer has an allocator, and a count, of its own. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_in_use(void)
{
    return __sanitizer_get_current_allocated_bytes
               ? __sanitizer_get_current_allocated_bytes()
               : mallinfo2().uordblks;
}

/* Nothing that lives in a run is on the heap, so all runs leave the same in use. */
static bool i13_no_growth(const struct power_run *run)
{
    static size_t used;
    size_t now = heap_in_use();
    size_t before = used;
    used = now;
    return run->h.steps == 0 || before == 0 || now <= before + POWER_HEAP_SLACK;
}

/* --- I14 confirm, I15 numbers only rise, I16 log --- */

static bool i14_right_marks(const struct power_run *run)
{
    return run->w.seen.wrong_marks == 0;
}

static bool i15_rises(const struct power_run *run)
{
    const struct moult_session *s = &run->w.session;
    bool is_loaded = s->state > MOULT_STATE_MEASURE;
    if (!is_loaded || run->h.events > 0 || is_blurred(run)) { return true; }
    uint64_t counter = 0;
    for (unsigned i = 0; i < s->order_count; i++) {
        if (s->orders[i].counter > counter) { counter = s->orders[i].counter; }
    }
    return counter >= run->h.counter && s->floor.stored >= run->h.floor;
}

/* The order that was sent once more was refused, and nothing came of it. */
static bool i15_replay_refused(const struct power_run *run)
{
    bool is_told = run->w.first_order.size == 0 || run->h.events > 0 || is_blurred(run) ||
                   world_report_with(&run->w, MOULT_D_NONCE) != NULL;
    return is_told && run->w.artifact_requests == run->h.end.requests;
}

static bool i16_numbers_only(const struct power_run *run)
{
    return run->w.seen.unknown_logs == 0;
}

/* --- I18 the bootloader did as ESP-IDF's does --- */

struct candidate {
    bool may;
    uint32_t seq, slot;
};

static struct candidate candidate_of(const struct power_run *run, unsigned i)
{
    const struct power_config *c = &power_configs[run->config];
    const uint8_t *raw = run->h.otadata[i];
    uint32_t seq = get_le32(raw), state = get_le32(raw + 24), crc = get_le32(raw + 28);
    struct candidate out = {.seq = seq, .slot = (seq - 1) % c->slot_count};
    bool is_sound = seq != 0 && seq != UINT32_MAX && crc == crc32_le(UINT32_MAX, raw, 4);
    bool is_dead = state == 3 || state == 4 || (state == 1 && c->has_rollback);
    bool is_old = c->has_anti_rollback && run->h.burnt > 0 &&
                  memcmp(world_slot(&run->w, out.slot), run->w.new.data, 1024) != 0;
    out.may = is_sound && !is_dead && !is_old;
    return out;
}

static bool may_start(const struct power_run *run, int slot)
{
    const struct power_config *c = &power_configs[run->config];
    if (slot == MOULT_BOOT_FACTORY) { return c->has_factory; }
    bool is_old = c->has_anti_rollback && run->h.burnt > 0 &&
                  memcmp(world_slot(&run->w, (uint32_t)slot), run->w.new.data, 1024) != 0;
    return run->h.verified[slot] && !is_old;
}

/* From the chosen one down to the factory app, then from behind it up. */
static int first_to_start(const struct power_run *run, int chosen)
{
    int count = power_configs[run->config].slot_count;
    for (int i = chosen; i >= MOULT_BOOT_FACTORY; i--) {
        if (may_start(run, i)) { return i; }
    }
    for (int i = chosen + 1; i < count; i++) {
        if (may_start(run, i)) { return i; }
    }
    return MOULT_BOOT_NONE;
}

static bool i18_boots_as_esp_idf(const struct power_run *run)
{
    bool is_disturbed = is_kind(run, POWER_EVENT_READ) || is_kind(run, POWER_EVENT_FAIL) ||
                        is_kind(run, POWER_EVENT_NOOP) || is_blurred(run);
    if (is_disturbed) { return true; } /* what it read is not what stands here */
    struct candidate a = candidate_of(run, 0), b = candidate_of(run, 1);
    int chosen = MOULT_BOOT_FACTORY;
    if (a.may || b.may) {
        bool is_b = b.may && (!a.may || b.seq > a.seq);
        chosen = (int)(is_b ? b.slot : a.slot);
    }
    return run->w.device.port.boot.booted == first_to_start(run, chosen);
}

/* --- the table --- */

const struct power_invariant power_invariants[] = {
    {"I1", "something boots", NULL, .at_boot = i1_boots},
    {"I1", "the client runs", NULL, .at_end = i1_runs},
    {"I2", "what boots is the old image or the new one", NULL, .at_boot = i2_one_of_two,
     .at_end = i2_one_of_two},
    {"I3", "a slot is proven or does not boot", NULL, .at_boot = i3_proven_or_dead,
     .at_loss = i3_proven_or_dead, .at_end = i3_proven_or_dead},
    {"I3", "floors rise with the confirmation, not before", NULL, .at_step = i3_floors},
    {"I3", "no way back behind a confirmation", NULL, .at_boot = i3_no_way_back},
    {"I4", "the running slot is not written", NULL, .at_step = i4_running_slot},
    {"I5", "no write outside slot, otadata and store", NULL, .at_step = i5_no_panic,
     .at_end = i5_rest_as_before},
    {"I6", "no write that flash refuses", NULL, .at_step = i6_no_panic},
    {"I7", "it comes to rest", NULL, .at_end = i7_comes_to_rest},
    {"I7", "where the story ends", NULL, .at_end = i7_at_the_end_of_the_story},
    {"I8", "boots are bounded", NULL, .at_end = i8_boots},
    {"I8", "wear is bounded", NULL, .at_end = i8_wear},
    {"I9", "every byte before the mark was hashed", NULL, .at_step = i9_hashed},
    {"I9", "a cut costs one sector of download", NULL, .at_end = i9_refetches},
    {"I10", "one final report, the right one", NULL, .at_end = i10_one_final},
    {"I10", "the last check-in says what runs", NULL, .at_end = i10_says_what_runs},
    {"I11", "nothing is tried again after its verdict", NULL,
     .at_end = i11_not_after_a_verdict},
    {"I12", "recovery is the same twice", NULL, .at_loss = i12_recovers_twice},
    {"I12", "what counts is stored", NULL, .at_step = i12_is_stored},
    {"I13", "no heap growth", "formats/banned_heap.h, make sizes", .at_end = i13_no_growth},
    {"I14", "confirmed only if running is selected", NULL, .at_step = i14_right_marks},
    {"I15", "counters and floor only rise", NULL, .at_step = i15_rises},
    {"I15", "a replayed order is refused", NULL, .at_end = i15_replay_refused},
    {"I16", "logs are known ids and two numbers", "tests/e2e greps for planted secrets",
     .at_step = i16_numbers_only},
    {"I17", "the same trace again", "sweep.c repeats every n-th run from its line",
     .at_step = NULL},
    {"I18", "the bootloader chose as ESP-IDF's", "tests/unit/formats/boot_choice_test.c",
     .at_boot = i18_boots_as_esp_idf},
};
const unsigned power_invariant_count = sizeof power_invariants / sizeof power_invariants[0];

static const struct power_invariant *broken;

static bool holds(const struct power_invariant *invariant, const struct power_run *run,
                  enum power_moment moment)
{
    bool (*ask)(const struct power_run *) = moment == POWER_AT_STEP   ? invariant->at_step
                                            : moment == POWER_AT_BOOT ? invariant->at_boot
                                            : moment == POWER_AT_LOSS ? invariant->at_loss
                                                                      : invariant->at_end;
    return !ask || ask(run);
}

void power_check(const struct power_run *run, enum power_moment moment)
{
    for (unsigned i = 0; i < power_invariant_count && !broken; i++) {
        if (!holds(&power_invariants[i], run, moment)) { broken = &power_invariants[i]; }
    }
}

const struct power_invariant *power_broken(void)
{
    return broken;
}

void power_forgive(void)
{
    broken = NULL;
}
