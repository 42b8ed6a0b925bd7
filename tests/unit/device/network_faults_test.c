/* network_faults_test.c - device/src/transfer.c: every fault of the network at every byte
 * of a download (docs/design/attack-tests.md), once and for ever, alone and with a
 * reset of the device at the same byte.
 *
 * A fault that happens once is survived, or named by its code where the code's advice is
 * not to try again; one that stays is named. What was written is never fetched again, but
 * for the sector in hand, unless the file itself turned out to be another one.
 *
 * NETWORK_FULL=1 (make soak) takes a longer file, of three sectors, and every byte for
 * every fault. Otherwise the bytes are shared out among the faults, and every fault has
 * those at the edges of sectors and file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "device/src/session_states.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/faulty_net.h"

static struct world w, saved;
static struct faulty_net net;

/* How much of the file may be fetched again after a strike. */
enum again { SECTOR, WHOLE_FILE };

/* What becomes of it: 0 is the update; else the failure's detail and reason. */
struct outcome {
    uint16_t detail, reason;
};
#define INSTALLED                                                                          \
    {                                                                                      \
        0, 0                                                                               \
    }

static const struct row {
    enum net_fault fault;
    struct outcome once, for_ever;
    enum again again;
} rows[] = {
    {NET_RESET, INSTALLED, {MOULT_D_NET, MOULT_R_NET_RESET}, SECTOR},
    {NET_TLS, INSTALLED, {MOULT_D_TLS, MOULT_R_NET_TLS_HANDSHAKE}, SECTOR},
    {NET_BAD_CHUNK, INSTALLED, {MOULT_D_HTTP, MOULT_R_HTTP_STATUS}, SECTOR},
    {NET_SHORT, INSTALLED, {MOULT_D_NET, MOULT_R_NET_RESET}, SECTOR},
    {NET_STALL, INSTALLED, {MOULT_D_NET, MOULT_R_NET_STALL}, SECTOR},
    {NET_DRIP, INSTALLED, {MOULT_D_XFER_SLOW, MOULT_R_NET_STALL}, SECTOR},
    {NET_NO_CONNECTION, INSTALLED, {MOULT_D_NET, MOULT_R_NET_CONNECT}, SECTOR},
    {NET_CHUNKED, INSTALLED, INSTALLED, SECTOR},
    {NET_TOO_MANY, INSTALLED, {MOULT_D_HTTP, MOULT_R_HTTP_STATUS}, SECTOR},
    {NET_UNAVAILABLE, INSTALLED, {MOULT_D_HTTP, MOULT_R_HTTP_STATUS}, SECTOR},
    {NET_WHOLE, INSTALLED, INSTALLED, WHOLE_FILE},
    {NET_CORRUPT, INSTALLED, {MOULT_D_XFER_DIGEST, MOULT_R_IMG_DIGEST}, WHOLE_FILE},
    {NET_WRONG_RANGE, INSTALLED, {MOULT_D_HTTP, MOULT_R_HTTP_RANGE_IGNORED}, WHOLE_FILE},
    {NET_NO_RANGE, INSTALLED, {MOULT_D_HTTP, MOULT_R_HTTP_RANGE_IGNORED}, WHOLE_FILE},
    {NET_REPLACED, INSTALLED, {MOULT_D_XFER_DIGEST, MOULT_R_IMG_DIGEST}, WHOLE_FILE},
    {NET_REPLACED_UNSAID, INSTALLED, {MOULT_D_XFER_DIGEST, MOULT_R_IMG_DIGEST}, WHOLE_FILE},
    /* never again, says the advice: the server has another file, or none */
    {NET_LONGER,
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     SECTOR},
    {NET_WRONG_TOTAL,
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     SECTOR},
    {NET_WRONG_LENGTH,
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     SECTOR},
    {NET_UNSATISFIABLE,
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     {MOULT_D_XFER_SIZE, MOULT_R_HTTP_LENGTH},
     SECTOR},
    {NET_REDIRECT,
     {MOULT_D_REDIRECT, MOULT_R_HTTP_STATUS},
     {MOULT_D_REDIRECT, MOULT_R_HTTP_STATUS},
     SECTOR},
    {NET_NOT_FOUND,
     {MOULT_D_HTTP, MOULT_R_HTTP_STATUS},
     {MOULT_D_HTTP, MOULT_R_HTTP_STATUS},
     SECTOR},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static struct {
    unsigned runs, full_runs;
    uint64_t bytes, requests;
    uint32_t most_refetched; /* by one request, where a sector is the limit */
} sum;

static bool wants_full(void)
{
    const char *text = getenv("NETWORK_FULL");
    return text && *text == '1';
}

/* --- one run --- */

enum { STEPS_MAX = 100000 };

static void restore(void)
{
    world_forget(&w);
    w = saved;
    faulty_net_plug(&w, &net);
}

static bool is_over(void)
{
    return w.session.state == MOULT_STATE_RECHECK ||
           world_report_of(&w, MOULT_REPORT_FAILED);
}

/* To the end of the road, or (short) to where the slot is proven, byte by byte. */
static bool run(bool is_full)
{
    for (unsigned i = 0; i < STEPS_MAX && !is_over(); i++) {
        if (net.is_reset_due) {
            net.is_reset_due = false;
            if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
        }
        if (!world_step(&w)) { return false; }
    }
    if (!is_over()) { return false; }
    return !is_full || world_settle(&w);
}

static bool is_slot_right(void)
{
    enum { HELD = MOULT_ESP_HELD_BACK_SIZE };
    const uint8_t *slot = world_slot(&w, 1);
    return memcmp(slot + HELD, w.new.data + HELD, w.new.size - HELD) == 0 &&
           memcmp(w.session.plan.head, w.new.data, HELD) == 0;
}

/* --- what must hold afterwards --- */

static bool is_outcome(struct outcome expected, bool is_full)
{
    const struct world_report *failed = world_report_of(&w, MOULT_REPORT_FAILED);
    if (expected.detail == 0) {
        return !failed && (is_full ? world_runs(&w, &w.new) : is_slot_right());
    }
    if (!failed) { return false; }
    /* of silence, the throughput floor speaks first unless much had come before */
    bool is_slow =
        expected.reason == MOULT_R_NET_STALL && failed->detail == MOULT_D_XFER_SLOW;
    return (failed->detail == expected.detail || is_slow) &&
           failed->reason == expected.reason && world_runs(&w, &w.old) &&
           !world_slot_boots(&w, 1);
}

/* Slow-loris near the end is fast enough; a fault behind the last byte of a body that is
 * complete harms nobody; nor does one that a reset takes away. */
static bool may_install(const struct row *row)
{
    bool is_end = net.at == w.new.size;
    bool is_behind = is_end && (row->fault != NET_LONGER || net.resets_device);
    bool is_lost = net.resets_device && !net.for_ever; /* with the connection */
    if (row->fault != NET_DRIP) { return is_behind || is_lost; }
    /* A sector that is nearly there is finished, and the next request is a new one. */
    uint32_t left = MOULT_SECTOR_SIZE - net.at % MOULT_SECTOR_SIZE;
    return is_behind || is_lost || left <= 16 || w.new.size - net.at < 1000;
}

static bool are_bytes_bounded(const struct row *row)
{
    uint64_t size = w.new.size;
    if (row->again == WHOLE_FILE) { return net.bytes <= size * (net.requests + 1); }
    return net.refetched <= MOULT_SECTOR_SIZE &&
           net.bytes <= size + (uint64_t)net.strikes * MOULT_SECTOR_SIZE;
}

static bool holds(const struct row *row, bool is_full)
{
    struct outcome expected = net.for_ever ? row->for_ever : row->once;
    struct outcome installed = INSTALLED;
    bool is_right = is_outcome(expected, is_full) ||
                    (may_install(row) && is_outcome(installed, is_full));
    return is_right && are_bytes_bounded(row) && w.foreign_boots == 0 && !w.seen.panic &&
           net.requests < 40;
}

static void print_failure(const struct row *row, bool is_ended)
{
    const struct world_report *failed = world_report_of(&w, MOULT_REPORT_FAILED);
    printf("  %s at byte %u of %u, %s%s: ", net_fault_what(row->fault), net.at, w.new.size,
           net.for_ever ? "for ever" : "once", net.resets_device ? ", with a reset" : "");
    if (!is_ended) { printf("does not end (E%04u), ", w.session.trouble.detail); }
    printf("%s E%04u R%u, %u requests, %llu bytes, %u again, %u strikes\n",
           failed ? "failed" : "not failed", failed ? failed->detail : 0,
           failed ? failed->reason : 0, net.requests, (unsigned long long)net.bytes,
           net.refetched, net.strikes);
}

static bool strikes_at(const struct row *row, uint32_t at, bool for_ever, bool resets)
{
    enum { FULL_ROAD_EVERY = 311 };
    bool is_full = at % FULL_ROAD_EVERY == 5;
    net = (struct faulty_net){
        .fault = row->fault, .at = at, .for_ever = for_ever, .resets_device = resets};
    restore();
    bool is_ended = run(is_full);
    bool is_good = is_ended && holds(row, is_full);
    if (!is_good) { print_failure(row, is_ended); }
    sum.runs++;
    sum.full_runs += is_full;
    sum.bytes += net.bytes;
    sum.requests += net.requests;
    if (row->again == SECTOR && net.refetched > sum.most_refetched) {
        sum.most_refetched = net.refetched;
    }
    return is_good;
}

/* --- the tests --- */

/* Up to the place where the plan is made and nothing was asked for. */
static bool prepare(uint32_t segment)
{
    world_make_as(&w, &(struct world_options){.is_fixed = true, .image_size = segment});
    w.config.backoff_max_ms = 20000;
    w.config.transfer_tries_max = 4;
    bool is_there = world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "PREPARE");
    saved = w;
    return is_there;
}

static bool is_edge(uint32_t at)
{
    uint32_t in_sector = at % MOULT_SECTOR_SIZE;
    return in_sector <= 1 || in_sector == MOULT_SECTOR_SIZE - 1 || at + 1 >= saved.new.size;
}

enum { SHOWN_MAX = 10 };

/* One byte in `share`, another one for each fault. */
static void every_byte(bool for_ever, bool resets, uint32_t share)
{
    unsigned failures = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        for (uint32_t at = 0; at <= saved.new.size &&failures < SHOWN_MAX; at++) {
            bool is_ours = wants_full() || is_edge(at) || (at + i) % share == 0;
            if (is_ours) { failures += !strikes_at(&rows[i], at, for_ever, resets); }
        }
    }
    check_equal(failures, 0);
}

static void test_every_fault_at_every_byte_once(void)
{
    every_byte(false, false, 4);
}

static void test_every_fault_at_every_byte_for_ever(void)
{
    every_byte(true, false, 16);
}

static void test_every_fault_at_every_byte_with_a_reset(void)
{
    every_byte(false, true, 16);
}

static void test_every_fault_for_ever_after_a_reset(void)
{
    every_byte(true, true, 64);
}

int main(void)
{
    enum { TWO_SECTORS = 4400, THREE_SECTORS = 8500 };
    clock_t begin = clock();
    if (!prepare(wants_full() ? THREE_SECTORS : TWO_SECTORS)) { return 1; }
    check_run(test_every_fault_at_every_byte_once);
    check_run(test_every_fault_at_every_byte_for_ever);
    check_run(test_every_fault_at_every_byte_with_a_reset);
    check_run(test_every_fault_for_ever_after_a_reset);
    printf("%u faults, %u bytes: %u runs (%u of them to the end of the road), "
           "%llu requests, %llu bytes, at most %u bytes again, %.1f s\n",
           ROWS, saved.new.size, sum.runs, sum.full_runs, (unsigned long long)sum.requests,
           (unsigned long long)sum.bytes, sum.most_refetched,
           (double)(clock() - begin) / CLOCKS_PER_SEC);
    world_forget(&w);
    statements_fleet_free(&w.fleet);
    return check_report();
}
