/* otadata_test.c - formats/otadata.c; vectors and tables of docs/spec/otadata.md */
#include "formats/otadata.h"
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

typedef uint8_t entry_bytes[MOULT_OTADATA_SIZE];

static const uint8_t blank[MOULT_OTADATA_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* An entry with a CRC that is good or off by one bit. */
static void make(entry_bytes raw, uint32_t seq, uint32_t state, bool has_good_crc)
{
    moult_otadata_encode(seq, state, raw);
    if (!has_good_crc) { raw[28] ^= 1; }
}

static void test_crc_of_sequence_numbers(void)
{
    static const struct {
        uint32_t seq, crc;
    } rows[] = {
        {1, 0x4743989a},  {2, 0x55f63774},          {3, 0xed4a5011}, {4, 0x709d68a8},
        {5, 0xc8210fcd},  {6, 0xda94a023},          {7, 0x6228c746}, {8, 0x3a4bd710},
        {16, 0xafe6a860}, {0xfffffffe, 0x99f8b879},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry_bytes raw;
        moult_otadata_encode(rows[i].seq, MOULT_OTADATA_NEW, raw);
        check_equal(get_le32(raw + 28), rows[i].crc);
        check_equal(moult_otadata_decode(raw).crc, rows[i].crc);
        check(moult_otadata_decode(raw).has_good_crc);
    }
}

static void test_entries_byte_for_byte(void)
{
    static const struct {
        uint32_t seq, state;
        const char *head, *tail; /* hex of the first word and the last two */
    } rows[] = {
        {1, MOULT_OTADATA_NEW, "01000000", "000000009a984347"},
        {1, MOULT_OTADATA_PENDING_VERIFY, "01000000", "010000009a984347"},
        {1, MOULT_OTADATA_VALID, "01000000", "020000009a984347"},
        {1, MOULT_OTADATA_INVALID, "01000000", "030000009a984347"},
        {1, MOULT_OTADATA_ABORTED, "01000000", "040000009a984347"},
        {1, MOULT_OTADATA_UNDEFINED, "01000000", "ffffffff9a984347"},
        {2, MOULT_OTADATA_NEW, "02000000", "000000007437f655"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry_bytes raw, expected;
        memset(expected, 0xff, sizeof expected);
        check(moult_hex_decode(rows[i].head, expected, 4));
        check(moult_hex_decode(rows[i].tail, expected + 24, 8));
        moult_otadata_encode(rows[i].seq, rows[i].state, raw);
        check_bytes(raw, expected, sizeof raw);
        struct moult_otadata_entry entry = moult_otadata_decode(raw);
        check_equal(entry.seq, rows[i].seq);
        check_equal(entry.state, rows[i].state);
    }
}

static void test_predicates(void)
{
    static const struct {
        const char *name;
        uint32_t seq, state;
        bool has_good_crc, is_invalid, is_valid, is_initial;
    } rows[] = {
        {"new", 1, MOULT_OTADATA_NEW, true, false, true, false},
        {"pending", 1, MOULT_OTADATA_PENDING_VERIFY, true, false, true, false},
        {"valid", 1, MOULT_OTADATA_VALID, true, false, true, false},
        {"invalid", 1, MOULT_OTADATA_INVALID, true, true, false, false},
        {"aborted", 1, MOULT_OTADATA_ABORTED, true, true, false, false},
        {"undefined", 1, MOULT_OTADATA_UNDEFINED, true, false, true, false},
        {"a state of no name", 1, 5, true, false, true, false},
        {"a half-programmed state", 1, 0xfffffff2, true, false, true, false},
        {"bad CRC is neither", 1, MOULT_OTADATA_VALID, false, false, false, true},
        {"bad CRC and aborted", 1, MOULT_OTADATA_ABORTED, false, true, false, true},
        {"empty", UINT32_MAX, MOULT_OTADATA_UNDEFINED, false, true, false, true},
        {"empty with a good CRC", UINT32_MAX, MOULT_OTADATA_VALID, true, true, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry_bytes raw;
        check_row(rows[i].name);
        make(raw, rows[i].seq, rows[i].state, rows[i].has_good_crc);
        struct moult_otadata_entry entry = moult_otadata_decode(raw);
        check_equal(moult_otadata_is_invalid(&entry), rows[i].is_invalid);
        check_equal(moult_otadata_is_valid(&entry), rows[i].is_valid);
        check_equal(moult_otadata_is_initial(&entry), rows[i].is_initial);
    }
    check_row(NULL);
}

static void test_state_names(void)
{
    check(strcmp(moult_otadata_state_name(MOULT_OTADATA_NEW), "NEW") == 0);
    check(strcmp(moult_otadata_state_name(MOULT_OTADATA_ABORTED), "ABORTED") == 0);
    check(strcmp(moult_otadata_state_name(MOULT_OTADATA_UNDEFINED), "UNDEFINED") == 0);
    check(strcmp(moult_otadata_state_name(5), "?") == 0);
}

static void test_active_is_the_valid_one_with_the_larger_seq(void)
{
    entry_bytes raw[2];
    memcpy(raw[0], blank, sizeof blank);
    memcpy(raw[1], blank, sizeof blank);
    check_equal(moult_otadata_active((const entry_bytes *)raw), -1);
    make(raw[0], 4, MOULT_OTADATA_VALID, true);
    check_equal(moult_otadata_active((const entry_bytes *)raw), 0);
    make(raw[1], 5, MOULT_OTADATA_NEW, true);
    check_equal(moult_otadata_active((const entry_bytes *)raw), 1);
    make(raw[1], 4, MOULT_OTADATA_NEW, true);
    check_equal(moult_otadata_active((const entry_bytes *)raw), 0);
    make(raw[1], 5, MOULT_OTADATA_NEW, false);
    check_equal(moult_otadata_active((const entry_bytes *)raw), 0);
    make(raw[0], 0xfffffffe, MOULT_OTADATA_VALID, true); /* compared without sign */
    make(raw[1], 1, MOULT_OTADATA_VALID, true);
    check_equal(moult_otadata_active((const entry_bytes *)raw), 0);
}

/* What esp_ota_set_boot_partition() writes, for each active entry and wanted slot. */
static void test_select(void)
{
    static const struct {
        const char *name;
        uint32_t seq0, seq1; /* 0: blank */
        uint32_t slot, slot_count, sector, seq;
    } rows[] = {
        {"nothing yet, slot 0", 0, 0, 0, 2, 0, 1},
        {"nothing yet, slot 1", 0, 0, 1, 2, 0, 2},
        {"1 to 2", 1, 0, 1, 2, 1, 2},
        {"2 to 3", 1, 2, 0, 2, 0, 3},
        {"3 to 4", 3, 2, 1, 2, 1, 4},
        {"the same slot is rewritten in place", 3, 2, 0, 2, 0, 3},
        {"the same slot, entry 1", 1, 2, 1, 2, 1, 2},
        {"three slots, current 4 wants 2", 4, 0, 2, 3, 1, 6},
        {"three slots, current 4 wants 1", 4, 0, 1, 3, 1, 5},
        {"three slots, current 6 wants 0", 6, 0, 0, 3, 1, 7},
        {"one slot", 5, 0, 0, 1, 0, 5},
        {"sixteen slots", 1, 0, 15, 16, 1, 16},
        {"sixteen slots, wrap", 16, 0, 0, 16, 1, 17},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry_bytes raw[2];
        struct moult_otadata_write write;
        check_row(rows[i].name);
        memcpy(raw[0], blank, sizeof blank);
        memcpy(raw[1], blank, sizeof blank);
        if (rows[i].seq0) { make(raw[0], rows[i].seq0, MOULT_OTADATA_VALID, true); }
        if (rows[i].seq1) { make(raw[1], rows[i].seq1, MOULT_OTADATA_VALID, true); }
        check_equal(moult_otadata_select((const entry_bytes *)raw, rows[i].slot,
                                         rows[i].slot_count, MOULT_OTADATA_NEW, &write),
                    MOULT_OK);
        check_equal(write.sector, rows[i].sector);
        struct moult_otadata_entry entry = moult_otadata_decode(write.raw);
        check_equal(entry.seq, rows[i].seq);
        check_equal(entry.state, MOULT_OTADATA_NEW);
        check_equal(moult_otadata_slot(entry.seq, rows[i].slot_count), rows[i].slot);
    }
    check_row(NULL);
}

/* Whatever was there: after the write, a rollback bootloader boots the wanted slot. */
static void test_what_is_selected_boots_next(void)
{
    for (uint32_t n = 1; n <= MOULT_OTADATA_SLOTS_MAX; n++) {
        for (uint32_t seq = 0; seq <= 3 * n + 1; seq++) {
            for (uint32_t slot = 0; slot < n; slot++) {
                entry_bytes raw[2];
                struct moult_otadata_write write;
                struct moult_otadata_choice choice;
                struct moult_otadata_rules rules = {.slot_count = n, .rollback = true};
                memcpy(raw[1], blank, sizeof blank);
                make(raw[0], seq, MOULT_OTADATA_VALID, true);
                check_equal(moult_otadata_select((const entry_bytes *)raw, slot, n,
                                                 MOULT_OTADATA_NEW, &write),
                            MOULT_OK);
                memcpy(raw[write.sector], write.raw, sizeof write.raw);
                check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice),
                            MOULT_OK);
                check_equal(choice.slot, slot);
                check_equal(choice.state[choice.entry], MOULT_OTADATA_PENDING_VERIFY);
            }
        }
    }
}

static void test_select_refuses_what_cannot_be(void)
{
    entry_bytes raw[2];
    struct moult_otadata_write write;
    make(raw[0], 0xfffffffe, MOULT_OTADATA_VALID, true);
    memcpy(raw[1], blank, sizeof blank);
    check_equal(moult_otadata_select((const entry_bytes *)raw, 2, 2, 0, &write),
                MOULT_E_RANGE);
    check_equal(moult_otadata_select((const entry_bytes *)raw, 0, 0, 0, &write),
                MOULT_E_RANGE);
    check_equal(moult_otadata_select((const entry_bytes *)raw, 0, 17, 0, &write),
                MOULT_E_RANGE);
    /* 0xfffffffe is slot 1 of 2; slot 0 would need 0xffffffff, which means empty. */
    check_equal(moult_otadata_select((const entry_bytes *)raw, 0, 2, 0, &write),
                MOULT_E_RANGE);
    check_equal(moult_otadata_select((const entry_bytes *)raw, 1, 2, 0, &write), MOULT_OK);
}

static void test_mark_changes_the_state_word_only(void)
{
    entry_bytes raw[2];
    struct moult_otadata_write write;
    make(raw[0], 1, MOULT_OTADATA_VALID, true);
    make(raw[1], 2, MOULT_OTADATA_PENDING_VERIFY, true);
    raw[1][10] = 0x42; /* a label that somebody wrote: kept */
    check_equal(moult_otadata_mark((const entry_bytes *)raw, MOULT_OTADATA_VALID, &write),
                MOULT_OK);
    check_equal(write.sector, 1);
    check_equal(write.raw[10], 0x42);
    check_equal(get_le32(write.raw + 24), MOULT_OTADATA_VALID);
    memcpy(raw[1], write.raw, sizeof write.raw);
    check_equal(moult_otadata_mark((const entry_bytes *)raw, MOULT_OTADATA_VALID, &write),
                MOULT_E_EXISTS);
    make(raw[0], 1, MOULT_OTADATA_INVALID, true);
    memcpy(raw[1], blank, sizeof blank);
    check_equal(moult_otadata_mark((const entry_bytes *)raw, MOULT_OTADATA_VALID, &write),
                MOULT_E_NOENT);
}

static void test_mark_finds_entry_0_as_well(void)
{
    entry_bytes raw[2];
    struct moult_otadata_write write;
    make(raw[0], 3, MOULT_OTADATA_PENDING_VERIFY, true);
    make(raw[1], 2, MOULT_OTADATA_VALID, true);
    check_equal(moult_otadata_mark((const entry_bytes *)raw, MOULT_OTADATA_INVALID, &write),
                MOULT_OK);
    check_equal(write.sector, 0);
}

/* Without rollback nothing is put on trial and nothing is aborted. */
static void test_choose_without_rollback_rewrites_nothing(void)
{
    entry_bytes raw[2];
    struct moult_otadata_choice choice;
    struct moult_otadata_rules rules = {.slot_count = 2};
    make(raw[0], 3, MOULT_OTADATA_NEW, true);
    make(raw[1], 2, MOULT_OTADATA_PENDING_VERIFY, true);
    check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice), MOULT_OK);
    check_equal(choice.entry, 0);
    check_equal(choice.slot, 0);
    check_equal(choice.state[0], MOULT_OTADATA_NEW);
    check_equal(choice.state[1], MOULT_OTADATA_PENDING_VERIFY);
    check(!choice.is_fresh && !choice.is_confirmed);
}

static void test_only_two_initial_entries_are_fresh(void)
{
    static const struct {
        const char *name;
        bool first_good,
            second_good; /* CRC; a bad one in state ABORTED is initial and invalid */
        bool is_fresh;
    } rows[] = {
        {"both", false, false, true},
        {"first only", false, true, false},
        {"second only", true, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry_bytes raw[2];
        struct moult_otadata_choice choice;
        struct moult_otadata_rules rules = {.slot_count = 2, .rollback = true};
        check_row(rows[i].name);
        make(raw[0], 1, MOULT_OTADATA_ABORTED, rows[i].first_good);
        make(raw[1], 2, MOULT_OTADATA_ABORTED, rows[i].second_good);
        check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice),
                    MOULT_E_NOENT);
        check_equal(choice.entry, -1);
        check_equal(choice.is_fresh, rows[i].is_fresh);
    }
    check_row(NULL);
}

static void test_anti_rollback_looks_past_slots_that_are_too_old(void)
{
    entry_bytes raw[2];
    struct moult_otadata_choice choice;
    struct moult_otadata_rules rules = {
        .slot_count = 2, .rollback = true, .anti_rollback = true, .slots_allowed = 1};
    make(raw[0], 1, MOULT_OTADATA_VALID, true); /* slot 0 */
    make(raw[1], 2, MOULT_OTADATA_NEW, true);   /* slot 1: too old */
    check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice), MOULT_OK);
    check_equal(choice.entry, 0);
    check(choice.is_confirmed);
    check_equal(choice.state[1], MOULT_OTADATA_NEW); /* not put on trial */
    rules.slots_allowed = 0;
    check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice),
                MOULT_E_NOENT);
    check(!choice.is_fresh);
}

static void test_choose_refuses_rules_that_cannot_be(void)
{
    entry_bytes raw[2] = {{0}};
    struct moult_otadata_choice choice = {.slot = 77};
    struct moult_otadata_rules rules = {.slot_count = 17};
    check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice),
                MOULT_E_RANGE);
    rules = (struct moult_otadata_rules){.slot_count = 2, .anti_rollback = true};
    check_equal(moult_otadata_choose((const entry_bytes *)raw, &rules, &choice),
                MOULT_E_ARG);
    check_equal(choice.slot, 77);
}

int main(void)
{
    check_run(test_crc_of_sequence_numbers);
    check_run(test_entries_byte_for_byte);
    check_run(test_predicates);
    check_run(test_state_names);
    check_run(test_active_is_the_valid_one_with_the_larger_seq);
    check_run(test_select);
    check_run(test_what_is_selected_boots_next);
    check_run(test_select_refuses_what_cannot_be);
    check_run(test_mark_changes_the_state_word_only);
    check_run(test_mark_finds_entry_0_as_well);
    check_run(test_choose_without_rollback_rewrites_nothing);
    check_run(test_only_two_initial_entries_are_fresh);
    check_run(test_anti_rollback_looks_past_slots_that_are_too_old);
    check_run(test_choose_refuses_rules_that_cannot_be);
    return check_report();
}
