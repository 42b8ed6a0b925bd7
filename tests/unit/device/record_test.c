/* record_test.c - device/src/record.c and journal.c: records in two banks, whatever a cut
 * leaves. */
#include "device/src/record.h"
#include <string.h>
#include "device/src/journal.h"
#include "device/src/pack.h"
#include "tests/support/check.h"

/* A key-value store of a few keys, each of which can be torn. */
enum { KEYS = 16 };
static struct store {
    char key[KEYS][MOULT_KV_KEY_MAX + 1];
    uint8_t data[KEYS][MOULT_KV_BLOB_MAX];
    size_t size[KEYS];
    unsigned good_reads; /* of blurred, before it reads as garbage; the first is 1 */
    const char *blurred; /* a key; NULL: none */
    size_t tear_at;      /* bytes of the next set that arrive; SIZE_MAX: all */
    unsigned sets;
    bool fails;
} store;

static int slot_of(const char *key, bool make)
{
    int spare = -1;
    for (int i = 0; i < KEYS; i++) {
        if (strcmp(store.key[i], key) == 0) { return i; }
        if (spare < 0 && store.key[i][0] == '\0') { spare = i; }
    }
    if (make && spare >= 0) { memcpy(store.key[spare], key, strlen(key) + 1); }
    return make ? spare : -1;
}

static int32_t kv_get(void *context, const char *key, uint8_t *out, size_t capacity,
                      size_t *size)
{
    (void)context;
    int at = slot_of(key, false);
    *size = at < 0 ? 0 : store.size[at];
    if (*size > capacity) { return -1; }
    if (*size > 0) { memcpy(out, store.data[at], *size); }
    bool is_blurred = store.blurred && strcmp(key, store.blurred) == 0;
    if (is_blurred && store.good_reads-- == 0) { out[9] ^= 4; }
    return 0;
}

static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    (void)context;
    int at = slot_of(key, true);
    if (store.fails || at < 0) { return -7; }
    size_t arrive = size < store.tear_at ? size : store.tear_at;
    memcpy(store.data[at], data, arrive);
    store.size[at] = size;
    store.sets++;
    return 0;
}

static int32_t kv_erase(void *context, const char *key)
{
    (void)context;
    int at = slot_of(key, false);
    if (at >= 0) { store.size[at] = 0; }
    return 0;
}

static const struct moult_port port = {
    .kv_get = kv_get, .kv_set = kv_set, .kv_erase = kv_erase};
static struct moult_session s;

static void begin(void)
{
    memset(&store, 0, sizeof store);
    store.tear_at = SIZE_MAX;
    memset(&s, 0, sizeof s);
    s.port = &port;
}

/* RAM is gone. */
static void reset(void)
{
    memset(&s, 0, sizeof s);
    s.port = &port;
    store.tear_at = SIZE_MAX;
    store.fails = false;
}

static enum moult_record kind = MOULT_RECORD_FLOOR; /* of put() and get() */

static enum moult_status put(uint64_t value)
{
    struct moult_pack pack = moult_record_pack(moult_small_frame(&s), 8);
    moult_put(&pack, value, 8);
    return moult_record_store(&s, kind, moult_small_frame(&s), 8);
}

static uint64_t get(bool *is_damaged)
{
    size_t size;
    if (moult_record_load(&s, kind, moult_small_frame(&s), &size, is_damaged) != MOULT_OK) {
        return 0;
    }
    struct moult_pack pack = moult_record_pack(moult_small_frame(&s), size);
    return moult_get(&pack, 8);
}

static void test_the_newest_record_comes_back(void)
{
    bool is_damaged;
    begin();
    check_equal(get(&is_damaged), 0);
    check(!is_damaged);
    for (uint64_t value = 1; value <= 5; value++) {
        check_equal(put(value), MOULT_OK);
        reset();
        check_equal(get(&is_damaged), value);
        check(!is_damaged);
    }
}

static void tear_anywhere(void)
{
    bool is_damaged;
    for (size_t tear = 0; tear <= 20; tear++) {
        begin();
        check_equal(put(1), MOULT_OK);
        check_equal(put(2), MOULT_OK);
        store.tear_at = tear;
        bool is_whole = tear == 20; /* 8 + 8 + 4 bytes */
        check_equal(put(3), is_whole ? MOULT_OK : MOULT_E_IO);
        reset();
        check_equal(get(&is_damaged), is_whole ? 3 : 2);
        reset();
        check_equal(get(&is_damaged),
                    is_whole ? 3 : 2); /* recovering twice changes nothing */
        check(!is_damaged);
        check_equal(put(4), MOULT_OK);
        reset();
        check_equal(get(&is_damaged), 4);
    }
}

static void test_a_write_torn_anywhere_leaves_the_record_before(void)
{
    for (unsigned i = 0; i < MOULT_RECORD_COUNT; i++) {
        kind = (enum moult_record)i;
        tear_anywhere();
    }
    kind = MOULT_RECORD_FLOOR;
}

static void test_a_flipped_bit_is_seen(void)
{
    bool is_damaged;
    begin();
    check_equal(put(7), MOULT_OK);
    int at = slot_of("floor.1", false);
    check(at >= 0);
    for (size_t bit = 0; bit < 8 * store.size[at]; bit++) {
        reset();
        uint8_t before[32];
        size_t size = store.size[at];
        memcpy(before, store.data[at], size);
        store.data[at][bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_equal(get(&is_damaged), 0);
        check(is_damaged);
        memcpy(store.data[at], before, size); /* it was erased as damaged */
        store.size[at] = size;
    }
}

/* What an interrupted write leaves may read as good once, and then not. */
static void test_a_bank_that_reads_well_once_gives_way_to_the_other(void)
{
    bool is_damaged;
    begin();
    check_equal(put(1), MOULT_OK);
    check_equal(put(2), MOULT_OK);
    reset();
    store.blurred = "floor.0";
    store.good_reads = 1; /* when the banks are compared, not when the newer one is taken */
    check_equal(get(&is_damaged), 1);
    check(is_damaged);
    store.blurred = NULL;
    check_equal(put(3), MOULT_OK);
    reset();
    check_equal(get(&is_damaged), 3);
}

static void test_a_store_that_fails_keeps_the_old_record(void)
{
    bool is_damaged;
    begin();
    check_equal(put(1), MOULT_OK);
    store.fails = true;
    check_equal(put(2), MOULT_E_IO);
    check_equal(s.trouble.native, -7);
    reset();
    check_equal(get(&is_damaged), 1);
}

static void test_generations_wrap(void)
{
    bool is_damaged;
    begin();
    s.generation[MOULT_RECORD_FLOOR] = UINT32_MAX - 2;
    for (uint64_t value = 1; value <= 6; value++) {
        check_equal(put(value), MOULT_OK);
        reset();
        check_equal(get(&is_damaged), value);
    }
}

static void test_records_of_another_kind_are_not_taken(void)
{
    bool is_damaged;
    size_t size;
    begin();
    check_equal(put(1), MOULT_OK);
    memcpy(store.key[slot_of("floor.1", false)], "plan.1", 7);
    check_equal(
        moult_record_load(&s, MOULT_RECORD_PLAN, moult_small_frame(&s), &size, &is_damaged),
        MOULT_E_NOENT);
    check(is_damaged);
}

/* --- the journal --- */

static void fill_plan(struct moult_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->slot = 1;
    plan->size = plan->transfer_size = 9072;
    memset(plan->digest, 0x11, 32);
    memset(plan->transfer_digest, 0x22, 32);
    memset(plan->release, 0x33, 32);
    memset(plan->deployment, 0x44, 16);
    plan->sequence = 0x0102030405060708;
    plan->rollback_floor = 7;
    memcpy(plan->version, "1.1.0", 6);
    plan->chip_id = 5;
    plan->revision_max = 0xffff;
    plan->secure_version = 3;
    plan->confirm_timeout_s = 300;
    plan->deadline_s = 1767225600;
    plan->has_head = true;
    memset(plan->head, 0xe9, sizeof plan->head);
    memcpy(plan->etag, "\"abc\"", 6);
    plan->verdict = (struct moult_trouble){1602, 806, -42};
    memcpy(plan->verdict_text, "sensor", 7);
}

static void test_a_plan_survives_word_for_word(void)
{
    static struct moult_plan plan;
    begin();
    fill_plan(&plan);
    for (unsigned stage = 0; stage <= MOULT_STAGE_FAILED; stage++) {
        s.plan = plan;
        check_equal(moult_journal_stage(&s, (enum moult_stage)stage), MOULT_OK);
        reset();
        check_equal(moult_journal_load(&s), MOULT_OK);
        check_equal(s.plan.stage, stage);
        s.plan.stage = plan.stage;
        check_bytes(&s.plan, &plan, sizeof plan);
    }
}

static void test_a_stage_that_cannot_be_stored_is_not_reached(void)
{
    begin();
    fill_plan(&s.plan);
    check_equal(moult_journal_stage(&s, MOULT_STAGE_TRANSFER), MOULT_OK);
    store.fails = true;
    check_equal(moult_journal_stage(&s, MOULT_STAGE_WRITTEN), MOULT_E_IO);
    check_equal(s.plan.stage, MOULT_STAGE_TRANSFER);
}

static void test_a_plan_of_another_version_is_no_plan(void)
{
    begin();
    struct moult_pack pack = moult_record_pack(moult_small_frame(&s), 2);
    moult_put(&pack, 2, 1); /* version 2 of the plan, from an engine to come */
    moult_put(&pack, MOULT_STAGE_ARMED, 1);
    check_equal(moult_record_store(&s, MOULT_RECORD_PLAN, moult_small_frame(&s), 2),
                MOULT_OK);
    check_equal(moult_journal_load(&s), MOULT_E_FORMAT);
    check_equal(s.plan.stage, MOULT_STAGE_NONE);
}

static void test_marks_belong_to_their_transfer(void)
{
    begin();
    fill_plan(&s.plan);
    s.transfer.mark = (struct moult_mark){1, 4096, {9}};
    check_equal(moult_journal_mark(&s), MOULT_OK);
    s.transfer.mark = (struct moult_mark){2, 8192, {8}};
    check_equal(moult_journal_mark(&s), MOULT_OK);
    check_equal(moult_journal_load_mark(&s, false), MOULT_OK);
    check_equal(s.transfer.mark.offset, 8192);
    check_equal(s.transfer.mark.digest[0], 8);
    check_equal(moult_journal_load_mark(&s, true), MOULT_OK);
    check_equal(s.transfer.mark.offset, 4096);
    s.plan.transfer_digest[7] ^= 1;
    check_equal(moult_journal_load_mark(&s, false), MOULT_E_NOENT);
    check_equal(s.transfer.mark.offset, 0);
    s.plan.transfer_digest[7] ^= 1;
    s.plan.size = 5000; /* the mark lies behind the end */
    check_equal(moult_journal_load_mark(&s, false), MOULT_E_NOENT);
}

static void test_fields_do_not_run_over_their_record(void)
{
    uint8_t bytes[4] = {0}, out[8];
    struct moult_pack pack = {bytes, bytes + sizeof bytes, false};
    moult_put(&pack, 0x01020304, 4);
    check(!pack.is_bad);
    moult_put(&pack, 1, 1);
    check(pack.is_bad);
    check_bytes(bytes, "\x04\x03\x02\x01", 4);
    pack = (struct moult_pack){bytes, bytes + sizeof bytes, false};
    check_equal(moult_get(&pack, 2), 0x0304);
    moult_get_bytes(&pack, out, 8);
    check(pack.is_bad);
    check(moult_bytes_all(out, 8, 0));
    check_equal(moult_get(&pack, 1), 0);
}

int main(void)
{
    check_run(test_the_newest_record_comes_back);
    check_run(test_a_write_torn_anywhere_leaves_the_record_before);
    check_run(test_a_flipped_bit_is_seen);
    check_run(test_a_bank_that_reads_well_once_gives_way_to_the_other);
    check_run(test_a_store_that_fails_keeps_the_old_record);
    check_run(test_generations_wrap);
    check_run(test_records_of_another_kind_are_not_taken);
    check_run(test_a_plan_survives_word_for_word);
    check_run(test_a_stage_that_cannot_be_stored_is_not_reached);
    check_run(test_a_plan_of_another_version_is_no_plan);
    check_run(test_marks_belong_to_their_transfer);
    check_run(test_fields_do_not_run_over_their_record);
    return check_report();
}
