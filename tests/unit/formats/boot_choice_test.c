/* boot_choice_test.c - formats/boot_choice.c against a transcription of ESP-IDF's
 * bootloader, and the power-cut table of docs/spec/otadata.md. */
#include "formats/boot_choice.h"
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

typedef uint8_t entry_bytes[MOULT_OTADATA_SIZE];

/* --- a machine: table, images, otadata, eFuse ----------------------------------------- */

enum { SLOTS = 3 };

struct machine {
    struct moult_boot_table table;
    bool slot_verifies[SLOTS], factory_verifies, test_verifies;
    bool has_descriptor[SLOTS]; /* of slots; factory and test always have one */
    uint32_t slot_version[SLOTS], other_version;
};

static bool machine_verifies(void *context, int which)
{
    const struct machine *m = context;
    if (which == MOULT_BOOT_FACTORY) { return m->factory_verifies; }
    if (which == MOULT_BOOT_TEST) { return m->test_verifies; }
    return m->slot_verifies[which];
}

static bool machine_version(void *context, int which, uint32_t *out)
{
    const struct machine *m = context;
    *out = which >= 0 ? m->slot_version[which] : m->other_version;
    return which < 0 || m->has_descriptor[which];
}

/* --- the transcription: bootloader_utility.c and bootloader_common.c, their names and
 * order ---- */

#define FACTORY_INDEX (-1)

typedef struct {
    uint32_t ota_seq, ota_state, crc;
} esp_ota_select_entry_t;

static struct {
    const struct machine *m;
    esp_ota_select_entry_t flash[2]; /* what the sectors hold now */
    uint32_t writes;                 /* sectors erased and written */
    uint32_t efuse;
    bool ota_has_initial_contents;
} idf;

static uint32_t bootloader_common_ota_select_crc(const esp_ota_select_entry_t *s)
{
    uint8_t seq[4];
    uint32_t crc = 0; /* bit by bit, so as not to lean on crc32_le() */
    put_le32(seq, s->ota_seq);
    for (int i = 0; i < 32; i++) {
        uint32_t bit = (uint32_t)(seq[i / 8] >> (i % 8) & 1);
        crc = ((crc ^ bit) & 1) ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static bool bootloader_common_ota_select_invalid(const esp_ota_select_entry_t *s)
{
    return s->ota_seq == UINT32_MAX || s->ota_state == 3 || s->ota_state == 4;
}

static bool bootloader_common_ota_select_valid(const esp_ota_select_entry_t *s)
{
    return bootloader_common_ota_select_invalid(s) == false &&
           s->crc == bootloader_common_ota_select_crc(s);
}

static int bootloader_common_select_otadata(const esp_ota_select_entry_t *two,
                                            const bool *valid, bool max)
{
    int active_otadata = -1;
    if (valid[0] && valid[1]) {
        uint32_t wanted = two[0].ota_seq;
        if (max ? two[1].ota_seq > wanted : two[1].ota_seq < wanted) {
            wanted = two[1].ota_seq;
        }
        active_otadata = two[0].ota_seq == wanted ? 0 : 1;
    } else {
        for (int i = 0; i < 2; i++) {
            if (valid[i]) {
                active_otadata = i;
                break;
            }
        }
    }
    return active_otadata;
}

static void write_otadata(const esp_ota_select_entry_t *otadata, int sector)
{
    idf.flash[sector] = *otadata;
    idf.writes++;
}

static bool check_anti_rollback(int index)
{
    uint32_t version;
    if (!idf.m->table.anti_rollback) { return true; }
    return machine_version((void *)(uintptr_t)idf.m, index, &version) &&
           version >= idf.efuse;
}

static void update_anti_rollback(int index)
{
    uint32_t version;
    if (!machine_version((void *)(uintptr_t)idf.m, index, &version)) { return; }
    if (version > idf.m->table.efuse_bits) { return; } /* ESP_ERR_INVALID_ARG */
    if (version > idf.efuse) { idf.efuse = version; }
}

static int get_selected_with_anti_rollback(const esp_ota_select_entry_t *otadata)
{
    uint32_t n = idf.m->table.slot_count;
    bool initial[2], valid[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        initial[i] = otadata[i].ota_seq == UINT32_MAX ||
                     otadata[i].crc != bootloader_common_ota_select_crc(&otadata[i]);
    }
    if (initial[0] && initial[1]) {
        idf.ota_has_initial_contents = true;
        return FACTORY_INDEX;
    }
    for (int i = 0; i < 2; i++) {
        if (n > 0 && bootloader_common_ota_select_valid(&otadata[i])) {
            valid[i] = check_anti_rollback((int)((otadata[i].ota_seq - 1) % n));
        }
    }
    int active = bootloader_common_select_otadata(otadata, valid, true);
    if (active == -1) { return FACTORY_INDEX; }
    int index = (int)((otadata[active].ota_seq - 1) % n);
    esp_ota_select_entry_t entry = otadata[active];
    if (entry.ota_state == 2) {
        update_anti_rollback(index);
    } else if (entry.ota_state == 0) {
        entry.ota_state = 1;
        write_otadata(&entry, active);
    }
    return index;
}

static int bootloader_utility_get_selected_boot_partition(void)
{
    const struct moult_boot_table *table = &idf.m->table;
    esp_ota_select_entry_t otadata[2] = {idf.flash[0], idf.flash[1]};
    idf.ota_has_initial_contents = false;
    if (!table->has_otadata) { return FACTORY_INDEX; }
    for (int i = 0; table->rollback && i < 2; i++) {
        if (otadata[i].ota_state == 1) {
            otadata[i].ota_state = 4;
            write_otadata(&otadata[i], i);
        }
    }
    if (table->anti_rollback) { return get_selected_with_anti_rollback(otadata); }

    if ((bootloader_common_ota_select_invalid(&otadata[0]) &&
         bootloader_common_ota_select_invalid(&otadata[1])) ||
        table->slot_count == 0) {
        if (table->has_factory) { return FACTORY_INDEX; }
        bool initial0 = otadata[0].ota_seq == UINT32_MAX ||
                        otadata[0].crc != bootloader_common_ota_select_crc(&otadata[0]);
        bool initial1 = otadata[1].ota_seq == UINT32_MAX ||
                        otadata[1].crc != bootloader_common_ota_select_crc(&otadata[1]);
        if (initial0 && initial1) { idf.ota_has_initial_contents = true; }
        return 0;
    }
    bool valid[2] = {bootloader_common_ota_select_valid(&otadata[0]),
                     bootloader_common_ota_select_valid(&otadata[1])};
    int active = bootloader_common_select_otadata(otadata, valid, true);
    if (active == -1) { return FACTORY_INDEX; }
    int index = (int)((otadata[active].ota_seq - 1) % table->slot_count);
    if (table->rollback && otadata[active].ota_state == 0) {
        otadata[active].ota_state = 1;
        write_otadata(&otadata[active], active);
    }
    return index;
}

static void set_actual_ota_seq(int index)
{
    if (index > FACTORY_INDEX && idf.ota_has_initial_contents == true) {
        esp_ota_select_entry_t otadata = {(uint32_t)index + 1, 2, 0};
        otadata.crc = bootloader_common_ota_select_crc(&otadata);
        write_otadata(&otadata, 0);
        if (idf.m->table.anti_rollback) { update_anti_rollback(index); }
    }
}

static bool try_load_partition(int index)
{
    if (index == FACTORY_INDEX && !idf.m->table.has_factory) { return false; } /* size 0 */
    if (index >= (int)idf.m->table.slot_count) { return false; }
    return check_anti_rollback(index) && machine_verifies((void *)(uintptr_t)idf.m, index);
}

static int bootloader_utility_load_boot_image(int start_index)
{
    for (int index = start_index; index >= FACTORY_INDEX; index--) {
        if (try_load_partition(index)) {
            set_actual_ota_seq(index);
            return index;
        }
    }
    for (int index = start_index + 1; index < (int)idf.m->table.slot_count; index++) {
        if (try_load_partition(index)) {
            set_actual_ota_seq(index);
            return index;
        }
    }
    if (idf.m->table.has_test && check_anti_rollback(MOULT_BOOT_TEST) &&
        idf.m->test_verifies) {
        return MOULT_BOOT_TEST;
    }
    return MOULT_BOOT_NONE;
}

/* --- comparing ------------------------------------------------------------------------ */

static unsigned long compared;

static bool agrees(const struct machine *m, const entry_bytes *raw)
{
    struct moult_boot_probe probe = {(void *)(uintptr_t)m, machine_verifies,
                                     machine_version};
    struct moult_boot_choice choice;
    entry_bytes ours[2];
    memcpy(ours, raw, sizeof ours);
    if (moult_boot_choose(&m->table, raw, &probe, &choice) != MOULT_OK) { return false; }
    for (uint32_t i = 0; i < choice.write_count; i++) {
        memcpy(ours[choice.writes[i].sector], choice.writes[i].raw, MOULT_OTADATA_SIZE);
    }

    idf.m = m;
    idf.writes = 0;
    idf.efuse = m->table.efuse_version;
    for (int i = 0; i < 2; i++) {
        idf.flash[i] = (esp_ota_select_entry_t){get_le32(raw[i]), get_le32(raw[i] + 24),
                                                get_le32(raw[i] + 28)};
    }
    int booted = bootloader_utility_load_boot_image(
        bootloader_utility_get_selected_boot_partition());
    compared++;
    bool is_same = choice.booted == booted && choice.write_count == idf.writes &&
                   choice.efuse_version == idf.efuse;
    for (int i = 0; i < 2; i++) {
        is_same = is_same && get_le32(ours[i]) == idf.flash[i].ota_seq &&
                  get_le32(ours[i] + 24) == idf.flash[i].ota_state &&
                  get_le32(ours[i] + 28) == idf.flash[i].crc;
    }
    if (!is_same) {
        printf("differs: slots %u factory %d test %d rollback %d anti %d efuse %u; "
               "entries seq %u state %x, seq %u state %x; booted %d, ESP-IDF %d; writes "
               "%u, %u; "
               "efuse %u, %u\n",
               m->table.slot_count, m->table.has_factory, m->table.has_test,
               m->table.rollback, m->table.anti_rollback, m->table.efuse_version,
               get_le32(raw[0]), get_le32(raw[0] + 24), get_le32(raw[1]),
               get_le32(raw[1] + 24), choice.booted, booted, choice.write_count, idf.writes,
               choice.efuse_version, idf.efuse);
    }
    return is_same;
}

/* Every entry of a small world: sequence x state x CRC good or bad. */
enum { SEQS = 4, STATES = 7, ENTRIES = SEQS * STATES * 2 };

static void entry_of(int i, entry_bytes raw)
{
    static const uint32_t seqs[SEQS] = {1, 2, 3, UINT32_MAX};
    static const uint32_t states[STATES] = {0, 1, 2, 3, 4, 5, UINT32_MAX};
    moult_otadata_encode(seqs[i / 2 / STATES], states[i / 2 % STATES], raw);
    if (i % 2) { raw[28] ^= 1; }
}

static bool agrees_on_all_otadata(const struct machine *m)
{
    for (int a = 0; a < ENTRIES; a++) {
        for (int b = 0; b < ENTRIES; b++) {
            entry_bytes raw[2];
            entry_of(a, raw[0]);
            entry_of(b, raw[1]);
            if (!agrees(m, (const entry_bytes *)raw)) { return false; }
        }
    }
    return true;
}

/* Tables without anti-rollback, and which of their images verify. */
static void test_agrees_with_esp_idf_without_anti_rollback(void)
{
    compared = 0;
    for (unsigned i = 0; i < 4u * 2 * 2 * 2; i++) {
        struct machine m = {.table = {.slot_count = i % 4,
                                      .has_otadata = true,
                                      .has_factory = i / 4 % 2,
                                      .has_test = i / 8 % 2,
                                      .rollback = i / 16}};
        for (unsigned good = 0; good < 32; good++) {
            for (unsigned s = 0; s < SLOTS; s++) {
                m.slot_verifies[s] = good >> s & 1;
            }
            m.factory_verifies = good >> 3 & 1;
            m.test_verifies = good >> 4 & 1;
            bool is_repeat = (!m.table.has_factory && m.factory_verifies) ||
                             (!m.table.has_test && m.test_verifies) ||
                             good % 8 >> m.table.slot_count != 0;
            if (is_repeat) { continue; }
            check(agrees_on_all_otadata(&m));
        }
    }
    printf("%lu boots compared\n", compared);
}

/* With anti-rollback: versions 0 or 2 of each slot, fuses 0..2 of 16, 2 and 1 bits, a slot
 * without descriptor, one that does not verify, a factory app that should not be. */
static void test_agrees_with_esp_idf_with_anti_rollback(void)
{
    compared = 0;
    for (unsigned i = 0; i < 3u * 8 * 3 * 3; i++) {
        static const uint32_t bits[] = {16, 2, 1};
        struct machine m = {.table = {.slot_count = 1 + i % 3,
                                      .has_otadata = true,
                                      .rollback = true,
                                      .anti_rollback = true,
                                      .efuse_version = i / 3 / 8 % 3,
                                      .efuse_bits = bits[i / 3 / 8 / 3]},
                            .slot_verifies = {true, true, true},
                            .has_descriptor = {true, true, true}};
        unsigned newer = i / 3 % 8;
        if (newer >> m.table.slot_count != 0) {
            continue;
        } /* of slots that are not there */
        for (unsigned s = 0; s < SLOTS; s++) {
            m.slot_version[s] = newer >> s & 1 ? 2 : 0;
        }
        check(agrees_on_all_otadata(&m));
        if (m.table.efuse_bits != 16) { continue; }
        m.has_descriptor[0] = false;
        m.slot_verifies[m.table.slot_count - 1] = false;
        check(agrees_on_all_otadata(&m));
        m.table.has_factory = m.factory_verifies = true;
        m.other_version = 1;
        check(agrees_on_all_otadata(&m));
    }
    printf("%lu boots compared\n", compared);
}

static void test_without_otadata_the_order_is_factory_slots_test(void)
{
    static const entry_bytes raw[2] = {{1}, {1}};
    struct machine m = {.table = {.slot_count = 2, .has_factory = true, .has_test = true}};
    struct moult_boot_probe probe = {&m, machine_verifies, machine_version};
    struct moult_boot_choice choice;
    m.factory_verifies = m.slot_verifies[1] = m.test_verifies = true;
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_OK);
    check_equal(choice.booted, MOULT_BOOT_FACTORY);
    m.factory_verifies = false;
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_OK);
    check_equal(choice.booted, 1);
    m.slot_verifies[1] = false;
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_OK);
    check_equal(choice.booted, MOULT_BOOT_TEST);
    m.test_verifies = false;
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_OK);
    check_equal(choice.booted, MOULT_BOOT_NONE);
    check_equal(choice.write_count, 0);
}

static void test_a_fallback_leaves_otadata_naming_the_bad_slot(void)
{
    entry_bytes raw[2];
    struct machine m = {.table = {.slot_count = 2, .has_otadata = true, .rollback = true}};
    struct moult_boot_probe probe = {&m, machine_verifies, machine_version};
    struct moult_boot_choice choice;
    m.slot_verifies[0] = true;
    moult_otadata_encode(1, MOULT_OTADATA_VALID, raw[0]);
    moult_otadata_encode(2, MOULT_OTADATA_NEW, raw[1]);
    check_equal(moult_boot_choose(&m.table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.selected, 1);
    check_equal(choice.booted, 0);
    check(choice.is_fallback);
    check_equal(choice.write_count,
                1); /* the trial of the bad slot has begun all the same */
    check_equal(choice.writes[0].sector, 1);
    check_equal(get_le32(choice.writes[0].raw + 24), MOULT_OTADATA_PENDING_VERIFY);
}

static void test_old_trial_is_aborted_before_the_new_one_begins(void)
{
    entry_bytes raw[2];
    struct machine m = {.table = {.slot_count = 2, .has_otadata = true, .rollback = true}};
    struct moult_boot_probe probe = {&m, machine_verifies, machine_version};
    struct moult_boot_choice choice;
    m.slot_verifies[0] = m.slot_verifies[1] = true;
    moult_otadata_encode(3, MOULT_OTADATA_NEW, raw[0]);
    moult_otadata_encode(2, MOULT_OTADATA_PENDING_VERIFY, raw[1]);
    check_equal(moult_boot_choose(&m.table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.write_count, 2);
    check_equal(choice.writes[0].sector, 1);
    check_equal(get_le32(choice.writes[0].raw + 24), MOULT_OTADATA_ABORTED);
    check_equal(choice.writes[1].sector, 0);
    check_equal(get_le32(choice.writes[1].raw + 24), MOULT_OTADATA_PENDING_VERIFY);
}

static void test_a_normal_boot_is_no_fallback(void)
{
    entry_bytes raw[2];
    struct machine m = {.table = {.slot_count = 2, .has_otadata = true, .rollback = true}};
    struct moult_boot_probe probe = {&m, machine_verifies, machine_version};
    struct moult_boot_choice choice;
    m.slot_verifies[0] = m.slot_verifies[1] = true;
    moult_otadata_encode(1, MOULT_OTADATA_VALID, raw[0]);
    moult_otadata_encode(2, MOULT_OTADATA_ABORTED, raw[1]);
    check_equal(moult_boot_choose(&m.table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.entry, 0);
    check_equal(choice.booted, 0);
    check(!choice.is_fallback);
    m.slot_verifies[0] = false;
    check_equal(moult_boot_choose(&m.table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.booted, 1);
    check(choice.is_fallback);
    memset(raw, 0xff, sizeof raw); /* otadata names nothing: not a fallback either */
    check_equal(moult_boot_choose(&m.table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.entry, -1);
    check_equal(choice.booted, 1);
    check(!choice.is_fallback);
}

static bool only_15(void *context, int which)
{
    (void)context;
    return which == 15;
}

static void test_sixteen_slots(void)
{
    entry_bytes raw[2];
    struct moult_boot_table table = {
        .slot_count = 16, .has_otadata = true, .rollback = true};
    struct moult_boot_probe probe = {NULL, only_15, NULL};
    struct moult_boot_choice choice;
    moult_otadata_encode(16, MOULT_OTADATA_VALID, raw[0]);
    memset(raw[1], 0xff, sizeof raw[1]);
    check_equal(moult_boot_choose(&table, (const entry_bytes *)raw, &probe, &choice),
                MOULT_OK);
    check_equal(choice.booted, 15);
    check(!choice.is_fallback);
}

static void test_rules_that_cannot_be(void)
{
    static const entry_bytes raw[2];
    struct machine m = {.table = {.slot_count = 17}};
    struct moult_boot_probe probe = {&m, machine_verifies, machine_version};
    struct moult_boot_choice choice = {.booted = 77};
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_E_RANGE);
    m.table = (struct moult_boot_table){.slot_count = 2, .anti_rollback = true};
    check_equal(moult_boot_choose(&m.table, raw, &probe, &choice), MOULT_E_ARG);
    check_equal(choice.booted, 77);
}

/* --- power cuts: an update of an entry is 1 erase and 8 word writes ------------------- */

enum { OPERATIONS = 9 };
enum record { BLANK, TORN, ABORTED, WHOLE };

/* Otadata after a cut before operation `cut` of a rewrite. */
static void cut_write(entry_bytes raw[2], const struct moult_otadata_write *write, int cut)
{
    if (cut >= 1) { memset(raw[write->sector], 0xff, MOULT_OTADATA_SIZE); }
    for (int word = 0; word < cut - 1; word++) {
        memcpy(raw[write->sector] + 4 * word, write->raw + 4 * word, 4);
    }
}

static const struct machine two_slots = {
    .table = {.slot_count = 2, .has_otadata = true, .rollback = true},
    .slot_verifies = {true, true},
};

/* Boot with full power; the slot that starts. */
static int boot(entry_bytes raw[2])
{
    struct moult_boot_probe probe = {(void *)(uintptr_t)&two_slots, machine_verifies,
                                     machine_version};
    struct moult_boot_choice choice;
    if (moult_boot_choose(&two_slots.table, (const entry_bytes *)raw, &probe, &choice) !=
        MOULT_OK) {
        return MOULT_BOOT_NONE;
    }
    for (uint32_t i = 0; i < choice.write_count; i++) {
        memcpy(raw[choice.writes[i].sector], choice.writes[i].raw, MOULT_OTADATA_SIZE);
    }
    return choice.booted;
}

static enum record record_of(const uint8_t *raw)
{
    if (moult_bytes_all(raw, MOULT_OTADATA_SIZE, 0xff)) { return BLANK; }
    struct moult_otadata_entry entry = moult_otadata_decode(raw);
    if (!entry.has_good_crc) { return TORN; }
    return entry.state == MOULT_OTADATA_ABORTED ? ABORTED : WHOLE;
}

struct tally {
    int slot[2];           /* how often each slot booted */
    int record[WHOLE + 1]; /* what the rewritten entry was afterwards */
};

/* Cut `write` at every operation, boot, count. */
static struct tally cut_everywhere(entry_bytes before[2],
                                   const struct moult_otadata_write *write)
{
    struct tally tally = {{0}, {0}};
    for (int cut = 0; cut < OPERATIONS; cut++) {
        entry_bytes raw[2];
        memcpy(raw, before, sizeof raw);
        cut_write(raw, write, cut);
        int slot = boot(raw);
        if (slot >= 0) { tally.slot[slot]++; }
        tally.record[record_of(raw[write->sector])]++;
    }
    return tally;
}

/* A is in slot 0 (entry 0, seq 1, confirmed); B is in slot 1 with entry 1 in `state`. */
static void installed(entry_bytes raw[2], bool has_b, uint32_t state)
{
    moult_otadata_encode(1, MOULT_OTADATA_VALID, raw[0]);
    memset(raw[1], 0xff, MOULT_OTADATA_SIZE);
    if (has_b) { moult_otadata_encode(2, state, raw[1]); }
}

static void test_cut_set_boot_keeps_a(void)
{
    entry_bytes raw[2];
    struct moult_otadata_write write;
    installed(raw, false, 0);
    check_equal(
        moult_otadata_select((const entry_bytes *)raw, 1, 2, MOULT_OTADATA_NEW, &write),
        MOULT_OK);
    struct tally tally = cut_everywhere(raw, &write);
    check_equal(tally.slot[0], 9);
    check_equal(tally.record[BLANK], 2);
    check_equal(tally.record[TORN], 7);
}

static void test_cut_start_of_trial_loses_the_activation_silently(void)
{
    entry_bytes raw[2];
    struct moult_otadata_write write = {.sector = 1};
    installed(raw, true, MOULT_OTADATA_NEW);
    moult_otadata_encode(2, MOULT_OTADATA_PENDING_VERIFY, write.raw);
    struct tally tally = cut_everywhere(raw, &write);
    check_equal(tally.slot[1], 1); /* before the erase: the trial begins */
    check_equal(tally.slot[0], 8);
    check_equal(tally.record[BLANK], 1);
    check_equal(tally.record[TORN], 7);
}

/* Mark valid, mark invalid, and the bootloader's own abort: the same nine outcomes. */
static void test_cut_verdict_returns_to_a(void)
{
    static const uint32_t verdicts[] = {MOULT_OTADATA_VALID, MOULT_OTADATA_INVALID,
                                        MOULT_OTADATA_ABORTED};
    for (int i = 0; i < 3; i++) {
        entry_bytes raw[2];
        struct moult_otadata_write write;
        installed(raw, true, MOULT_OTADATA_PENDING_VERIFY);
        check_equal(moult_otadata_mark((const entry_bytes *)raw, verdicts[i], &write),
                    MOULT_OK);
        struct tally tally = cut_everywhere(raw, &write);
        check_equal(tally.slot[0], 9);
        check_equal(tally.record[ABORTED], 1);
        check_equal(tally.record[BLANK], 1);
        check_equal(tally.record[TORN], 7);
    }
}

static void test_cut_after_begin_erased_the_other_entry_keeps_b(void)
{
    entry_bytes raw[2];
    installed(raw, true, MOULT_OTADATA_VALID);
    check_equal(boot(raw), 1);
    memset(raw[0], 0xff, MOULT_OTADATA_SIZE); /* esp_ota_begin() of ESP-IDF 5.5 */
    check_equal(boot(raw), 1);
}

/* "Cancel" by set boot to the running B, while a complete, unapproved C lies in slot 0. */
static void test_cut_cancel_boots_what_nobody_approved(void)
{
    entry_bytes before[2];
    struct moult_otadata_write write;
    int stamped = 0, unrecorded = 0;
    installed(before, true, MOULT_OTADATA_VALID);
    memset(before[0], 0xff, MOULT_OTADATA_SIZE);
    check_equal(
        moult_otadata_select((const entry_bytes *)before, 1, 2, MOULT_OTADATA_NEW, &write),
        MOULT_OK);
    check_equal(write.sector, 1); /* the only good entry, in place */
    struct tally tally = cut_everywhere(before, &write);
    check_equal(tally.slot[1], 1);
    check_equal(tally.slot[0], 8);
    for (int cut = 1; cut < OPERATIONS; cut++) {
        entry_bytes raw[2];
        memcpy(raw, before, sizeof raw);
        cut_write(raw, &write, cut);
        check_equal(boot(raw), 0);
        bool is_stamped = moult_otadata_decode(raw[0]).state == MOULT_OTADATA_VALID;
        stamped += is_stamped;
        unrecorded += !is_stamped;
    }
    check_equal(stamped, 1);
    check_equal(unrecorded, 7);
}

/* A torn page can end with any subset of its bits: with a good CRC, a half-programmed state
 * word boots, and without a trial unless it is exactly NEW. */
static void test_half_programmed_state_boots_without_trial(void)
{
    for (int bit = 0; bit < 32; bit++) {
        entry_bytes raw[2];
        installed(raw, true, UINT32_MAX & ~(UINT32_C(1) << bit));
        check_equal(boot(raw), 1);
        check_equal(moult_otadata_decode(raw[1]).state, UINT32_MAX & ~(UINT32_C(1) << bit));
    }
}

static void test_nothing_written_yet_is_stamped_without_trial(void)
{
    entry_bytes raw[2];
    memset(raw, 0xff, sizeof raw);
    check_equal(boot(raw), 0);
    struct moult_otadata_entry entry = moult_otadata_decode(raw[0]);
    check_equal(entry.seq, 1);
    check_equal(entry.state, MOULT_OTADATA_VALID);
    check(entry.has_good_crc);
}

int main(void)
{
    check_run(test_agrees_with_esp_idf_without_anti_rollback);
    check_run(test_agrees_with_esp_idf_with_anti_rollback);
    check_run(test_without_otadata_the_order_is_factory_slots_test);
    check_run(test_a_fallback_leaves_otadata_naming_the_bad_slot);
    check_run(test_old_trial_is_aborted_before_the_new_one_begins);
    check_run(test_a_normal_boot_is_no_fallback);
    check_run(test_sixteen_slots);
    check_run(test_rules_that_cannot_be);
    check_run(test_cut_set_boot_keeps_a);
    check_run(test_cut_start_of_trial_loses_the_activation_silently);
    check_run(test_cut_verdict_returns_to_a);
    check_run(test_cut_after_begin_erased_the_other_entry_keeps_b);
    check_run(test_cut_cancel_boots_what_nobody_approved);
    check_run(test_half_programmed_state_boots_without_trial);
    check_run(test_nothing_written_yet_is_stamped_without_trial);
    return check_report();
}
