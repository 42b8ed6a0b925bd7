/* hostile_network_test.c - rows 11 to 18 and 21 to 23 of the attack matrix: mirrors,
 * brokers, bytes without end, and hands on the flash. See tests/support/hostile.h and
 * docs/design/attack-tests.md.
 *
 * HOSTILE_RUNS=n seeds per attack; ROW=n SEED=n repeats one run.
 */
#include <stdio.h>
#include <string.h>
#include "device/src/session_states.h"
#include "formats/codes.h"
#include "formats/wake.h"
#include "tests/support/check.h"
#include "tests/support/hostile.h"

static struct world *const w = &hostile_world;

enum { HOUR_MS = 3600000, SLOT = SIM_SLOT_1_AT, HELD = MOULT_ESP_HELD_BACK_SIZE };
enum { RELEASE_KEY = 1u << STATEMENTS_RELEASE, ROOTS = 3u << STATEMENTS_ROOT };

/* --- row 11: bytes without end --- */

static void endless(const char *path)
{
    hostile_net.is_endless = true;
    hostile_net.endless_of = path;
}

static void until_five_check_ins(void)
{
    if (w->checkins >= 5) { hostile_net.is_endless = false; }
}

static void endless_reply(void)
{
    endless("/checkin");
    hostile_net.before_step = until_five_check_ins;
}

static bool are_replies_bounded(void)
{
    enum { EACH_MAX = MOULT_REPLY_SIZE_MAX + 1 };
    return hostile_net.bytes <= 5 * EACH_MAX + (uint64_t)w->new.size + 8192;
}

static void endless_release(void)
{
    endless("/release/");
}

static bool is_release_bounded(void)
{
    return hostile_net.bytes <= 8192; /* replies, and 1,024 bytes of release and one more */
}

static void endless_keyset(void)
{
    struct moult_keyset keyset = statements_keyset(&w->fleet, 2);
    hostile_keyset(statements_sign(&w->fleet, statements_keyset_payload(&keyset), ROOTS),
                   2);
    endless("/keyset/");
}

static void endless_artifact(void)
{
    endless("/artifact/");
}

static bool is_artifact_bounded(void)
{
    return hostile_net.bytes <= (uint64_t)w->new.size + 4096 + 8192;
}

static const struct hostile_attack endless_data[] = {
    {"an endless reply", endless_reply, MOULT_D_HTTP, 200, SURVIVED, are_replies_bounded},
    {"an endless release", endless_release, MOULT_D_RELEASE_SIZE, 0, KNOWN_BEFORE,
     is_release_bounded},
    {"an endless keyset", endless_keyset, MOULT_D_KEYSET_SIZE, 0, SURVIVED, NULL},
    {"an endless artifact", endless_artifact, MOULT_D_XFER_SIZE, 0, FOUND_LATER,
     is_artifact_bounded},
};

/* --- row 12: slow retrieval --- */

static uint64_t begun_ms;

static void slower_than_the_floor(void)
{
    hostile_net.drip_ms = 20 + hostile_draw(20000); /* the floor is 64 bytes a second */
    begun_ms = w->now_ms;
}

static bool is_over_in_minutes(void)
{
    return w->now_ms - begun_ms < 20 * 60000;
}

static const char *const mirror = "/device/v1/artifact/mirror";

static void slow_mirror_first(void)
{
    slower_than_the_floor();
    hostile_net.mirror = hostile_net.drip_of = mirror;
    w->second_url = mirror;
}

static void slower_than_the_deadline(void)
{
    hostile_net.drip_ms = 20 + hostile_draw(15); /* 80 to 150 bytes a second */
    hostile_net.drip_bytes = 3;
    w->config.transfer_deadline_s = 10 + hostile_draw(20);
    w->config.window = 4096;
    begun_ms = w->now_ms;
}

static const struct hostile_attack slow[] = {
    {"below the floor", slower_than_the_floor, MOULT_D_XFER_SLOW, 0, FOUND_LATER,
     is_over_in_minutes},
    {"a slow mirror first", slow_mirror_first, 0, 0, SURVIVED, is_over_in_minutes},
    {"above it, past the deadline", slower_than_the_deadline, MOULT_D_XFER_DEADLINE, 0,
     FOUND_LATER, is_over_in_minutes},
};

/* --- row 13: nothing is delivered --- */

enum { BACKOFF_S = 900 };
static uint64_t back_ms;

static void come_back(void)
{
    w->is_down = w->now_ms < back_ms;
}

static void dropped_for_days(void)
{
    w->is_down = true;
    w->down_kind = (enum moult_net_failure)hostile_draw(MOULT_NET_PROTOCOL + 1);
    w->config.backoff_max_ms = BACKOFF_S * 1000;
    back_ms = w->now_ms + (uint64_t)(1 + hostile_draw(72)) * HOUR_MS;
    hostile_net.before_step = come_back;
}

/* Heard of within one back-off, and meanwhile asked no oftener than it allows. */
static bool is_patient(void)
{
    uint64_t away_s = back_ms / 1000;
    unsigned doublings = 12, update = 40;
    return w->now_ms - back_ms < 3600000 &&
           hostile_net.requests <= away_s / (BACKOFF_S / 2) + doublings + update;
}

static const struct hostile_attack dropped[] = {
    {"nothing for days", dropped_for_days, 0, 0, SURVIVED, is_patient},
};

/* --- row 14: a mirror or CDN --- */

static uint32_t spoil_from, spoil_bit;

static void flip_one_bit(uint8_t *data, uint32_t size, uint32_t place)
{
    if (spoil_from - place < size) {
        data[spoil_from - place] ^= (uint8_t)(1u << spoil_bit);
    }
}

static void all_random(uint8_t *data, uint32_t size, uint32_t place)
{
    (void)place;
    hostile_bytes(data, size);
}

static void one_bit_flipped(void)
{
    spoil_from = hostile_draw(w->new.size);
    spoil_bit = hostile_draw(8);
    hostile_net.spoil = flip_one_bit;
}

static void bytes_of_its_own(void)
{
    hostile_net.spoil = all_random;
}

static bool is_artifact(const char *path)
{
    return strstr(path, hostile_net.mirror ? "/mirror" : "/artifact/") != NULL;
}

static uint16_t chosen_status;

static void say_chosen_status(const char *path)
{
    if (!is_artifact(path)) { return; }
    w->http.reply = (struct moult_http_reply){.status = chosen_status, .has_length = true};
    w->http.size = w->http.cut = 0;
}

static void status_of(const uint16_t *list, uint32_t count)
{
    chosen_status = list[hostile_draw(count)];
    hostile_net.answer = say_chosen_status;
}

static void redirects(void)
{
    static const uint16_t list[] = {300, 301, 302, 303, 307, 308};
    status_of(list, 6);
}

static void statuses(void)
{
    static const uint16_t list[] = {201, 204, 400, 401, 403, 404, 410, 451,
                                    429, 500, 501, 502, 503, 504, 599};
    status_of(list, 15);
}

static void say_wrong_total(const char *path)
{
    if (is_artifact(path)) { w->http.reply.range_total += 1 + hostile_draw(1u << 30); }
}

static void wrong_total(void)
{
    hostile_net.answer = say_wrong_total;
}

static void say_wrong_range(const char *path)
{
    uint32_t by = 1 + hostile_draw(100000);
    if (!is_artifact(path)) { return; }
    w->http.reply.range_from += by;
    w->http.reply.range_to += by;
}

static void wrong_range(void)
{
    hostile_net.answer = say_wrong_range;
}

static void say_new_etag(const char *path)
{
    if (!is_artifact(path)) { return; }
    snprintf(w->http.reply.etag, sizeof w->http.reply.etag, "\"%08x\"",
             hostile_draw(UINT32_MAX));
}

static void etag_of_the_minute(void)
{
    w->config.window = 4096;
    hostile_net.answer = say_new_etag;
}

static const struct hostile_attack cdn_alone[] = {
    {"one bit flipped", one_bit_flipped, MOULT_D_XFER_DIGEST, 0, FOUND_LATER, NULL},
    {"bytes of its own", bytes_of_its_own, MOULT_D_XFER_DIGEST, 0, FOUND_LATER, NULL},
    {"redirects", redirects, MOULT_D_REDIRECT, 0, FOUND_LATER, NULL},
    {"any status", statuses, MOULT_D_HTTP, 0, FOUND_LATER, NULL},
    {"wrong total", wrong_total, MOULT_D_XFER_SIZE, 0, FOUND_LATER, NULL},
    {"wrong range", wrong_range, MOULT_D_HTTP, 0, FOUND_LATER, NULL},
    {"another ETag each time", etag_of_the_minute, MOULT_D_XFER_DIGEST, 0, FOUND_LATER,
     NULL},
};

/* The same as the first of two sources: the second brings the update home. */
static void as_mirror(void (*attack)(void))
{
    hostile_net.mirror = mirror;
    w->second_url = mirror;
    attack();
}

static void any_attack_of_a_mirror(void)
{
    enum { ATTACKS = sizeof cdn_alone / sizeof cdn_alone[0] };
    as_mirror(cdn_alone[hostile_draw(ATTACKS - 1)].arm); /* but for the ETags: as alone */
}

/* Good looking bytes up to a place, then never again an answer. */
static void refuse_after_some(const char *path)
{
    if (!is_artifact(path)) { return; }
    w->http.cut = 4096 + hostile_draw(4096);
    if (w->http.cut > w->http.size) { w->http.cut = w->http.size; }
    w->away_url = mirror;
}

static void poisoned_and_gone(void)
{
    as_mirror(bytes_of_its_own);
    hostile_net.answer = refuse_after_some;
}

static const struct hostile_attack cdn_first[] = {
    {"any of these", any_attack_of_a_mirror, 0, 0, SURVIVED, NULL},
    {"poisoned and gone", poisoned_and_gone, 0, 0, SURVIVED, NULL},
};

/* --- row 15: the broker --- */

enum { QUIET_MS = HOUR_MS, MIN_S = 30 };
static unsigned wakes_sent;

static void send_wake(void)
{
    uint8_t bytes[64];
    size_t size = hostile_draw(sizeof bytes);
    hostile_bytes(bytes, sizeof bytes);
    if (hostile_draw(2)) {
        struct moult_cbor_writer writer;
        struct moult_wake wake = {.seq = hostile_draw64() >> hostile_draw(64),
                                  .spread_s =
                                      hostile_draw(2) ? 0 : hostile_draw(UINT32_MAX)};
        moult_cbor_writer_init(&writer, bytes, sizeof bytes);
        moult_wake_write(&writer, &wake);
        size = writer.size;
    }
    wakes_sent++;
    moult_wake(&w->session, bytes, size, w->now_ms);
}

static void send_wakes(void)
{
    if (w->now_ms > QUIET_MS) { w->action = MOULT_ACTION_INSTALL; }
    send_wake();
}

static void wakes_of_every_kind(void)
{
    w->action = MOULT_ACTION_NONE;
    w->next_s = 600;
    w->config.interval_min_s = MIN_S;
    hostile_net.before_step = send_wakes;
    wakes_sent = 0;
}

static bool is_pace_kept(void)
{
    return w->checkins <= w->now_ms / 1000 / MIN_S + 20 && wakes_sent > 100;
}

static const struct hostile_attack broker[] = {
    {"wakes of every kind", wakes_of_every_kind, 0, 0, SURVIVED, is_pace_kept},
};

/* --- rows 16 to 18: sources of other kinds --- */

static uint8_t random_digest[32];

static void encrypt(struct world *world, struct moult_assignment *order)
{
    static const uint8_t envelope[] = {0x43, 1, 2, 3};
    (void)world;
    order->sources[0].encryption = (struct moult_bytes){envelope, sizeof envelope};
    order->sources[0].present |= 1u << MOULT_SOURCE_ENCRYPTION;
}

static void encrypted_source(void)
{
    hostile_order(encrypt);
}

static void change_host(struct world *world, struct moult_assignment *order)
{
    static const char *const urls[] = {"http://moult.test/x", "https://listener.test/x",
                                       "https://moult.test:8443/x"};
    const char *url = urls[hostile_draw(3)];
    (void)world;
    order->sources[0].url = (struct moult_bytes){(const uint8_t *)url, strlen(url)};
}

static void source_on_another_host(void)
{
    hostile_order(change_host);
}

static const struct hostile_attack disclosure[] = {
    {"an encryption of its own", encrypted_source, MOULT_D_NO_SOURCE, MOULT_D_ENCRYPTION,
     KNOWN_BEFORE, NULL},
    {"a host that listens", source_on_another_host, MOULT_D_NO_SOURCE, MOULT_D_URI,
     KNOWN_BEFORE, NULL},
};

static void make_delta(struct world *world, struct moult_assignment *order)
{
    struct moult_source *source = &order->sources[0];
    (void)world;
    hostile_bytes(random_digest, sizeof random_digest);
    source->kind = MOULT_SOURCE_DELTA;
    source->encoding = MOULT_ENCODING_PATCH_V1;
    source->size = 1 + hostile_draw(100000);
    source->base_digest = random_digest;
    source->base_size = 1 + hostile_draw(1u << 24);
    source->decoder_ram = 1 + hostile_draw(UINT32_MAX - 1);
    source->present |= 1u << MOULT_SOURCE_BASE_DIGEST | 1u << MOULT_SOURCE_BASE_SIZE |
                       1u << MOULT_SOURCE_DECODER_RAM;
}

static void delta_of_another_base(void)
{
    hostile_order(make_delta);
}

static const struct hostile_attack precursor[] = {
    {"a delta of another base", delta_of_another_base, MOULT_D_NO_SOURCE, 0, KNOWN_BEFORE,
     NULL},
};

static void encode(struct world *world, struct moult_assignment *order)
{
    struct moult_source *source = &order->sources[0];
    (void)world;
    source->encoding = (uint8_t)(2 + hostile_draw(254));
    source->decoder_ram = 1 + hostile_draw(UINT32_MAX - 1);
    source->present |= 1u << MOULT_SOURCE_DECODER_RAM;
}

static void unknown_encoding(void)
{
    hostile_order(encode);
}

static void need_all_memory(struct world *world, struct moult_assignment *order)
{
    encode(world, order);
    order->sources[0].encoding = MOULT_ENCODING_PATCH_V1;
    order->sources[0].decoder_ram = UINT32_MAX - hostile_draw(1u << 30);
}

static void decoder_of_all_memory(void)
{
    hostile_order(need_all_memory);
}

static const struct hostile_attack patch_bomb[] = {
    {"an unknown encoding", unknown_encoding, MOULT_D_NO_SOURCE, MOULT_D_ENCODING,
     KNOWN_BEFORE, NULL},
    {"a decoder of all memory", decoder_of_all_memory, MOULT_D_NO_SOURCE, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 21: swapped after the check --- */

static bool is_done;
static uint32_t flip_at, flip_bit;

static void flip_once(void)
{
    if (is_done) { return; }
    is_done =
        moult_sim_flash_flip(&w->device.chip.flash, SLOT + flip_at, flip_bit) == MOULT_OK;
}

static void flip_while_armed(void)
{
    if (w->session.state == MOULT_STATE_GATE) { flip_once(); }
}

static void flip_after_the_boot_slot(void)
{
    if (w->device.port.reboot_wanted) { flip_once(); }
}

static void choose_flip(uint32_t from, uint32_t to)
{
    is_done = false;
    flip_at = from + hostile_draw(to - from);
    flip_bit = hostile_draw(8);
}

static void first_sector_after_the_check(void)
{
    choose_flip(HELD, MOULT_SECTOR_SIZE);
    hostile_net.before_step = flip_while_armed;
}

static void other_sector_after_the_check(void)
{
    choose_flip(MOULT_SECTOR_SIZE, w->new.size);
    hostile_net.before_step = flip_while_armed;
}

static void image_after_the_boot_slot(void)
{
    choose_flip(0, w->new.size);
    hostile_net.before_step = flip_after_the_boot_slot;
}

static const char *stored_key;

static void swap_statement(void)
{
    uint8_t bytes[300];
    if (is_done || w->session.state != MOULT_STATE_VERIFY) { return; }
    hostile_bytes(bytes, sizeof bytes);
    is_done = w->sim.kv_set(w->port.context, stored_key, bytes, sizeof bytes) == 0;
}

static void statement_after_the_check(void)
{
    is_done = false;
    stored_key = hostile_draw(2) ? "release.0" : "assignment.0";
    hostile_net.before_step = swap_statement;
}

static const struct hostile_attack swapped[] = {
    {"first sector, after the check", first_sector_after_the_check, MOULT_D_FLASH_WRITE, 0,
     FOUND_LATER, NULL},
    {"other sector, after the check", other_sector_after_the_check, MOULT_D_SET_BOOT, 0,
     FOUND_LATER, NULL},
    {"after the boot slot was set", image_after_the_boot_slot, MOULT_D_REVERTED, 0,
     FOUND_LATER, NULL},
    {"a statement, after the check", statement_after_the_check, MOULT_D_RECHECK, 0,
     FOUND_LATER, NULL},
};

/* --- row 22: extra data --- */

static void say_longer(const char *path)
{
    uint32_t by = 1 + hostile_draw(100000);
    if (!is_artifact(path)) { return; }
    w->http.reply.range_total += by;
}

static void longer_file(void)
{
    hostile_net.answer = say_longer;
}

/* Behind the image, where a signature sector could stand, after the place was erased. */
static void write_behind(void)
{
    if (w->session.state == MOULT_STATE_VERIFY) { flip_once(); }
}

static void data_behind_the_image(void)
{
    uint32_t sectors = (w->new.size + MOULT_SECTOR_SIZE - 1) / MOULT_SECTOR_SIZE;
    choose_flip((w->new.size + 31) / 32 * 32, (sectors + 2) * MOULT_SECTOR_SIZE);
    hostile_net.before_step = write_behind;
}

/* Signed by the author, hash and all: but no image ends there. */
static void data_within_the_signed_size(void)
{
    uint32_t size = w->new.size, more = 16 + hostile_draw(4000);
    hostile_bytes(w->new.data + size, more);
    w->new.size = size + more;
    if (moult_sha256_once(&w->fleet.crypto, w->new.data, w->new.size, w->new.digest) !=
        MOULT_OK) {
        return; /* then the code is missed, and the run fails */
    }
    w->release.components[0].size = w->new.size;
    w->release.components[0].digest = w->new.digest;
    hostile_sign_release(RELEASE_KEY);
}

static void data_in_the_slot_before(void)
{
    hostile_bytes(w->device.bits + SLOT, SIM_SLOT_SIZE);
}

static const struct hostile_attack extra[] = {
    {"a longer file", longer_file, MOULT_D_XFER_SIZE, 0, FOUND_LATER, NULL},
    {"data behind the image", data_behind_the_image, MOULT_D_TAIL, 0, FOUND_LATER, NULL},
    {"data within the signed size", data_within_the_signed_size, MOULT_D_IMAGE_HEADER, 0,
     FOUND_LATER, NULL},
    {"data in the slot before", data_in_the_slot_before, 0, 0, SURVIVED, NULL},
};

/* --- row 23: torn state --- */

static bool fill_the_store(void)
{
    struct moult_keyset keyset = statements_keyset(&w->fleet, 2);
    hostile_keyset(statements_sign(&w->fleet, statements_keyset_payload(&keyset), ROOTS),
                   2);
    w->action = MOULT_ACTION_NONE;
    bool is_there = world_boot(w, MOULT_RESET_POWER_ON) && world_settle(w);
    w->action = MOULT_ACTION_INSTALL;
    w->keyset_hint = 0;
    w->report_count = 0;
    return is_there;
}

static void tear(const char *key)
{
    uint8_t bytes[64];
    char bank[MOULT_KV_KEY_MAX + 1];
    hostile_bytes(bytes, sizeof bytes);
    for (char which = '0'; which <= '1'; which++) {
        snprintf(bank, sizeof bank, "%s.%c", key, which);
        (void)!w->sim.kv_set(w->port.context, bank, bytes, 1 + hostile_draw(64));
    }
}

static void torn_keyset(void)
{
    tear("keyset");
}

static void torn_floor(void)
{
    static const char *const keys[] = {"floor", "orders", "blocks"};
    tear(keys[hostile_draw(3)]);
}

static void torn_plan(void)
{
    static const char *const keys[] = {"plan", "mark", "parts", "route"};
    tear(keys[hostile_draw(4)]);
}

static const struct hostile_attack torn[] = {
    {"keysets", torn_keyset, MOULT_D_KEYSET_STORE, 0, SURVIVED, NULL},
    {"floor, counters, blocks", torn_floor, MOULT_D_FLOOR_STORE, 0, SURVIVED, NULL},
    {"plan and progress", torn_plan, 0, 0, SURVIVED, NULL},
};

static const struct hostile_row rows[] = {
    {11, "endless data", "the network", HOSTILE_ROW(endless_data)},
    {12, "slow retrieval", "the network", HOSTILE_ROW(slow)},
    {13, "dropped delivery", "the network", HOSTILE_ROW(dropped)},
    {14, "malicious mirror or CDN, alone", "the only source", HOSTILE_ROW(cdn_alone)},
    {14, "malicious mirror or CDN, first", "the first source", HOSTILE_ROW(cdn_first)},
    {15, "malicious broker", "the broker", HOSTILE_ROW(broker)},
    {16, "firmware disclosure", "assign key", HOSTILE_ROW(disclosure),
     .holds_assign_key = true},
    {17, "wrong precursor", "assign key", HOSTILE_ROW(precursor), .holds_assign_key = true},
    {18, "poisoned patch, patch bomb", "assign key", HOSTILE_ROW(patch_bomb),
     .holds_assign_key = true},
    {21, "payload swapped after check", "the flash, at one moment", HOSTILE_ROW(swapped)},
    {22, "extra data after image", "mirror, flash or release", HOSTILE_ROW(extra)},
    {23, "torn state or manifest", "the store, at one moment", HOSTILE_ROW(torn),
     .prepare = fill_the_store},
};

static void test_each_attack_is_refused_or_survived_and_leaves_no_mark(void)
{
    check(hostile_play_all(rows, sizeof rows / sizeof rows[0]));
}

int main(void)
{
    check_run(test_each_attack_is_refused_or_survived_and_leaves_no_mark);
    hostile_end();
    return check_report();
}
