/* network_resume_test.c - device/src/write.c, transfer.c: what a resumed transfer believes,
 * and what an interrupted statement does.
 *
 * Between two boots one bit of the slot is flipped: in every sector that was written, after
 * every checkpoint and after the last byte. The bytes behind it are fetched again, the
 * update ends with the right image, and no more than the flip costs is fetched.
 */
#include <stdio.h>
#include <string.h>
#include "device/src/session_states.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/faulty_net.h"

enum { SECTOR = MOULT_SECTOR_SIZE, HELD = MOULT_ESP_HELD_BACK_SIZE, STEPS_MAX = 100000 };

static struct world w, saved;
static struct faulty_net net;

static void restore(void)
{
    world_forget(&w);
    w = saved;
    faulty_net_plug(&w, &net);
}

static bool make(uint32_t segment)
{
    world_make_as(&w, &(struct world_options){.is_fixed = true, .image_size = segment});
    bool is_there = world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "PREPARE");
    saved = w;
    return is_there;
}

/* Until so many bytes are written and their mark is stored. */
static bool write_up_to(uint32_t offset)
{
    net = (struct faulty_net){0};
    restore();
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (w.session.transfer.mark.offset >= offset) { return true; }
        if (!world_step(&w)) { return false; }
    }
    return false;
}

static bool flip_and_go_on(uint32_t place, unsigned bit)
{
    uint32_t at = SIM_SLOT_1_AT + place;
    return moult_sim_flash_flip(&w.device.chip.flash, at, bit) == MOULT_OK &&
           world_boot(&w, MOULT_RESET_POWER_ON) && world_settle(&w) &&
           world_runs(&w, &w.new) && world_count(&w, MOULT_REPORT_FAILED) == 0;
}

/* --- flips --- */

/* Places of a sector: its edges, and some between. */
static uint32_t place_in(uint32_t sector, unsigned which, uint32_t end)
{
    static const uint32_t places[] = {HELD, 1000, 2048, 3333, SECTOR - 1};
    uint32_t place = sector * SECTOR + places[which];
    return place < end ? place : end - 1;
}
enum { PLACES = 5 };

/* The newest mark speaks of the whole, the one before it of all but the last block. */
static uint64_t expected_again(uint32_t written, uint32_t sector)
{
    uint32_t last = (written - 1) / SECTOR;
    return sector == last && last > 0 ? written - last * SECTOR : written;
}

static bool is_noticed(uint32_t written, uint32_t sector, unsigned which)
{
    uint32_t place = place_in(sector, which, written);
    if (!write_up_to(written)) { return false; }
    uint64_t before = net.bytes;
    /* The window goes on behind the checkpoint; what had come of it is not written. */
    if (!flip_and_go_on(place, (place + which) % 8)) { return false; }
    uint64_t again = net.bytes - before;
    uint64_t expected = w.new.size - written + expected_again(written, sector);
    if (again == expected) { return true; }
    printf("  flip at %u of %u written: expected %llu bytes, found %llu\n", place, written,
           (unsigned long long)expected, (unsigned long long)again);
    return false;
}

static void test_a_flip_between_two_boots_is_noticed_in_every_sector(void)
{
    unsigned runs = 0;
    for (uint32_t written = SECTOR; written < saved.new.size; written += SECTOR) {
        for (uint32_t sector = 0; sector < written / SECTOR; sector++) {
            for (unsigned which = 0; which < PLACES; which++) {
                check(is_noticed(written, sector, which));
                runs++;
            }
        }
    }
    check(runs >= 6 * PLACES);
}

/* Behind the last byte nothing is to be fetched: only the proof is left, and it fails. */
static void test_a_flip_after_the_last_byte_is_noticed(void)
{
    static const char *const states[] = {"CLEAN", "VERIFY", "IMAGE", "RECHECK", "GATE"};
    for (unsigned s = 0; s < sizeof states / sizeof states[0]; s++) {
        for (uint32_t sector = 0; sector * SECTOR < saved.new.size; sector++) {
            net = (struct faulty_net){0};
            restore();
            check_row(states[s]);
            check(world_until(&w, states[s]));
            check(flip_and_go_on(place_in(sector, sector % PLACES, w.new.size), 3));
            check(net.bytes > w.new.size);
        }
    }
}

/* The first 32 bytes are not on flash yet: a bit that falls there is erased again. */
static void test_a_flip_where_the_header_will_be_is_undone(void)
{
    for (unsigned bit = 0; bit < 8 * HELD; bit += 37) {
        check(write_up_to(SECTOR));
        uint64_t before = net.bytes;
        check(flip_and_go_on(bit / 8, bit % 8));
        check_equal(net.bytes - before, w.new.size - SECTOR);
    }
}

static void test_without_a_flip_nothing_is_fetched_twice(void)
{
    for (uint32_t written = SECTOR; written < saved.new.size; written += SECTOR) {
        check(write_up_to(written));
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
        check_equal(net.bytes, w.new.size);
        check_equal(net.refetched, 0);
    }
}

/* A mark of the same kind and checksum, from another moment: it says more than is there. */
static void test_a_mark_that_says_more_than_is_written_is_not_believed(void)
{
    check(write_up_to(3 * SECTOR));
    for (uint32_t i = SECTOR; i < 3 * SECTOR; i += SECTOR) {
        memset(w.device.bits + SIM_SLOT_1_AT + i, 0xff, SECTOR);
    }
    uint64_t before = net.bytes;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(net.bytes - before, w.new.size);
}

/* --- statements, interrupted at every byte --- */

static const struct {
    const char *path;
    bool may_fail; /* a release that was spoiled ends its deployment, with its code */
} statements[] = {{"/checkin", false}, {"/release/", true}};

static const enum net_fault statement_faults[] = {NET_RESET, NET_SHORT, NET_STALL,
                                                  NET_CORRUPT, NET_LONGER};

/* Struck or not (the byte may lie behind the answer): the update happens, or the release is
 * refused by a code of step 7. */
static bool survives(unsigned which, enum net_fault fault, uint32_t at)
{
    net = (struct faulty_net){.fault = fault, .path = statements[which].path, .at = at};
    restore();
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        const struct world_report *failed = world_report_of(&w, MOULT_REPORT_FAILED);
        if (w.session.state == MOULT_STATE_RECHECK) { return true; }
        if (failed) {
            return statements[which].may_fail && failed->detail >= MOULT_D_RELEASE_FETCH &&
                   failed->detail <= MOULT_D_RELEASE_CLASS && w.artifact_requests == 0;
        }
        if (!world_step(&w)) { return false; }
    }
    return false;
}

static void test_a_statement_interrupted_at_any_byte_does_no_harm(void)
{
    enum { FAULTS = sizeof statement_faults / sizeof statement_faults[0], BYTES = 480 };
    unsigned failures = 0, strikes = 0;
    for (unsigned which = 0; which < 2; which++) {
        for (unsigned f = 0; f < FAULTS; f++) {
            for (uint32_t at = 0; at < BYTES; at++) {
                bool is_good = survives(which, statement_faults[f], at);
                strikes += net.strikes;
                failures += !is_good;
                if (is_good || failures > 10) { continue; }
                printf("  %s: %s at byte %u, E%04u\n", statements[which].path,
                       net_fault_what(net.fault), at, w.session.trouble.detail);
            }
        }
    }
    check_equal(failures, 0);
    check(strikes > 2500);
}

int main(void)
{
    if (!make(15000)) { return 1; }
    check_run(test_a_flip_between_two_boots_is_noticed_in_every_sector);
    check_run(test_a_flip_after_the_last_byte_is_noticed);
    check_run(test_a_flip_where_the_header_will_be_is_undone);
    check_run(test_without_a_flip_nothing_is_fetched_twice);
    check_run(test_a_mark_that_says_more_than_is_written_is_not_believed);
    world_free(&w);
    if (!make(4400)) { return 1; }
    check_run(test_a_statement_interrupted_at_any_byte_does_no_harm);
    world_free(&w);
    return check_report();
}
