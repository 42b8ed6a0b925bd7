/* transfer_test.c - device/src/transfer.c, write.c and source.c: the bytes, whatever the
 * network does. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void begin(void)
{
    world_copy(&w, &fresh);
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

/* --- transfers --- */

static void test_a_transfer_goes_on_where_power_cut_it(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    check(world_until(&w, "RECORD")); /* the second sector */
    check(world_step(&w));
    uint64_t before = w.artifact_bytes;
    check(before >= 8192);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(w.artifact_bytes - before <= w.new.size - 8192 + 4096);
}

/* The slot as small as the image: set for the engine only, the chip's is larger. */
static void shrink_slot(void)
{
    w.port.slot_size = w.new.size;
}

static void test_an_image_may_fill_its_slot_to_the_last_byte(void)
{
    enum { SEGMENT = 12216, WHOLE = 3 * 4096 };
    begin();
    struct world_image_options options = {
        .sequence = 2, .version = "1.1.0", .size = SEGMENT};
    world_image(&w, &w.new, &options);
    check_equal(w.new.size, WHOLE);
    world_offer(&w, &w.new);
    check(boots());
    shrink_slot();
    check(world_settle(&w));
    check(world_report_with(&w, MOULT_D_SLOT_SIZE) == NULL);
    check_equal(w.stage, 0);
    check_equal(world_count(&w, MOULT_REPORT_WRITTEN), 1);
}

static void flip_first_sector(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + 100] ^= 1;
}

static void test_bytes_that_rotted_between_two_boots_are_not_trusted(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    flip_first_sector(&w);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(w.artifact_bytes >= w.new.size + 4096); /* from the beginning */
}

static const struct {
    const char *name;
    enum world_transfer how;
    uint32_t at;
} faults_survived[] = {
    {"ranges ignored", WORLD_NO_RANGES, 0},   {"cut once", WORLD_CUT_ONCE, 5000},
    {"cut every sector", WORLD_CUT, 4500},    {"short every sector", WORLD_SHORT, 5000},
    {"changed at once", WORLD_CHANGED, 4096},
};

static void test_a_transfer_survives_what_can_be_survived(void)
{
    for (unsigned i = 0; i < sizeof faults_survived / sizeof faults_survived[0]; i++) {
        begin();
        check_row(faults_survived[i].name);
        w.transfer = faults_survived[i].how;
        w.transfer_at = faults_survived[i].at;
        w.config.window = 4096;
        if (w.transfer == WORLD_CUT || w.transfer == WORLD_SHORT) {
            w.config.window = 8192;
        }
        check(boots());
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
    }
}

static void test_a_file_that_changes_with_every_answer_ends(void)
{
    begin();
    w.transfer = WORLD_CHANGING;
    w.config.window = 4096;
    check(boots());
    check(world_hears(&w, MOULT_D_XFER_DIGEST));
    check_equal(world_report_with(&w, MOULT_D_XFER_DIGEST)->kind, MOULT_REPORT_FAILED);
    check(w.artifact_requests < 40);
    check(world_runs(&w, &w.old));
}

static void test_shorter_ranges_than_asked_for_are_taken_if_they_fill_a_sector(void)
{
    begin();
    w.transfer = WORLD_SHORT_RANGE;
    w.transfer_at = 5000;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    begin();
    w.transfer = WORLD_SHORT_RANGE;
    w.transfer_at = 1000; /* never a sector: no progress */
    w.config.transfer_tries_max = 3;
    check(boots());
    check(world_hears(&w, MOULT_D_NET));
    check_equal(w.artifact_requests, 3);
}

static void test_a_server_without_ranges_is_read_over_after_a_reset(void)
{
    begin();
    w.transfer = WORLD_NO_RANGES;
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_the_next_source_is_tried(void)
{
    begin();
    w.second_url = "/device/v1/artifact-of-nobody";
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void test_a_source_that_stays_away_gives_way_to_the_next(void)
{
    begin();
    w.second_url = "/device/v1/artifact/away";
    w.away_url = w.second_url;
    w.config.transfer_tries_max = 3;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void test_a_written_slot_that_rotted_over_a_reset_is_written_again(void)
{
    begin();
    check(boots());
    check(world_until(&w, "GATE"));
    w.device.bits[SIM_SLOT_1_AT + 6000] ^= 1;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, 2 * w.new.size);
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void plan_sticks(struct world *world)
{
    world->kv_fails = "plan";
}

static void test_a_store_that_fails_at_the_last_moment_leaves_nothing_half_done(void)
{
    begin();
    w.hook_state = "ARM";
    w.hook = plan_sticks;
    check(boots());
    check(world_hears(&w, MOULT_D_PLAN_WRITE));
    check(!world_slot_boots(&w, 1));
    w.kv_fails = NULL;
    world_deployment(&w, '2');
    w.action = MOULT_ACTION_INSTALL;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 1);
}

/* Erases of each flash sector of a whole update: the wear budget of the design page. */
static void test_an_update_wears_no_sector_more_than_it_must(void)
{
    static uint16_t erases[SIM_FLASH_SIZE / MOULT_SECTOR_SIZE];
    enum { SECTOR = MOULT_SECTOR_SIZE, SLOT_1 = SIM_SLOT_1_AT / SECTOR };
    begin();
    memset(erases, 0, sizeof erases);
    w.device.chip.flash.erase_count = erases;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    uint32_t sectors = (w.new.size + SECTOR - 1) / SECTOR;
    for (uint32_t i = SIM_SLOT_0_AT / SECTOR; i < sizeof erases / sizeof erases[0]; i++) {
        uint32_t expected = i < SLOT_1                 ? 0
                            : i == SLOT_1              ? 2
                            : i < SLOT_1 + sectors + 2 ? 1
                                                       : 0;
        check_equal(erases[i], expected);
    }
    check_equal(erases[SIM_OTADATA_AT / SECTOR] + erases[SIM_OTADATA_AT / SECTOR + 1], 3);
}

static void test_the_policy_may_grant_attempts(void)
{
    begin();
    w.policy_keys = 1u << MOULT_POLICY_ATTEMPTS;
    w.policy.attempts = 3;
    w.transfer = WORLD_STATUS;
    w.transfer_at = 503;
    w.config.transfer_tries_max = 2;
    w.config.backoff_max_ms = 5000;
    w.keeps_offering = true;
    check(boots());
    check(world_hears(&w, MOULT_D_HTTP));
    check_equal(w.artifact_requests, 6);
    check(boots()); /* under the same order it is not tried again, not even after a reset */
    check(world_hears(&w, MOULT_D_ATTEMPTS));
    check_equal(w.artifact_requests, 6);
}

static void test_a_deployment_that_failed_is_not_tried_again(void)
{
    begin();
    w.transfer = WORLD_FLIPPED;
    w.keeps_offering = true;
    check(boots());
    check(world_hears(&w, MOULT_D_XFER_DIGEST));
    unsigned requests = w.artifact_requests, checkins = w.checkins;
    for (unsigned i = 0; i < 2000; i++) {
        check(world_step(&w));
    }
    check(w.checkins > checkins + 3);
    check_equal(w.artifact_requests, requests);
    w.transfer = WORLD_GOOD;
    w.keeps_offering = false;
    world_deployment(&w, '2'); /* a new one is */
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_the_deadline_of_one_order_does_not_count_for_the_next(void)
{
    begin();
    w.transfer = WORLD_FLIPPED;
    w.config.transfer_deadline_s = 1800;
    check(boots());
    check(world_hears(&w, MOULT_D_XFER_DIGEST));
    w.action = MOULT_ACTION_NONE;
    while (w.now_ms < 2 * 3600000) {
        check(world_step(&w));
    }
    w.transfer = WORLD_GOOD;
    w.action = MOULT_ACTION_INSTALL;
    world_deployment(&w, '2');
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_small_pieces_give_the_same_image(void)
{
    begin();
    w.config.piece = 33;
    w.config.window = 4096;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_paused_nothing_is_fetched_and_check_ins_go_on(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    moult_pause(&w.session);
    check(world_step(&w));
    uint64_t bytes = w.artifact_bytes;
    unsigned checkins = w.checkins;
    for (unsigned i = 0; i < 3000; i++) {
        check(world_step(&w));
    }
    check_equal(w.artifact_bytes, bytes);
    check(w.checkins > checkins + 2);
    check(world_runs(&w, &w.old));
    moult_resume(&w.session);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_a_throttle_is_obeyed(void)
{
    begin();
    check(boots());
    moult_throttle(&w.session, 500);
    check(world_until(&w, "CLEAN"));
    check(w.now_ms >= 1000 + (w.new.size - 4096) * 2ull);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_retry_after_is_obeyed(void)
{
    begin();
    w.checkin_status = 503;
    w.retry_after_s = 100;
    check(boots());
    check(world_until(&w, "REPLY"));
    check(world_until(&w, "IDLE"));
    uint64_t before = w.now_ms;
    w.checkin_status = 0;
    check(world_until(&w, "ORDER"));
    check(w.now_ms - before >= 100000 && w.now_ms - before <= 111000);
}

static void test_back_off_doubles_and_stays_below_its_limit(void)
{
    begin();
    w.is_down = true;
    w.config.backoff_first_ms = 1000;
    w.config.backoff_max_ms = 16000;
    check(boots());
    uint64_t last = 0;
    for (unsigned i = 0; i < 10; i++) {
        check(world_until(&w, "CHECKIN"));
        uint64_t gap = w.now_ms - last;
        uint64_t full = i == 0 ? 1 : 1000ull << (i - 1);
        if (full > 16000) { full = 16000; }
        if (i > 0) { check(gap >= full / 2 && gap <= full * 3 / 2 + 100); }
        last = w.now_ms;
        check(world_until(&w, "IDLE"));
    }
}

int main(void)
{
    world_make(&fresh);
    check_run(test_a_transfer_goes_on_where_power_cut_it);
    check_run(test_an_image_may_fill_its_slot_to_the_last_byte);
    check_run(test_bytes_that_rotted_between_two_boots_are_not_trusted);
    check_run(test_a_transfer_survives_what_can_be_survived);
    check_run(test_a_file_that_changes_with_every_answer_ends);
    check_run(test_shorter_ranges_than_asked_for_are_taken_if_they_fill_a_sector);
    check_run(test_a_server_without_ranges_is_read_over_after_a_reset);
    check_run(test_the_next_source_is_tried);
    check_run(test_a_source_that_stays_away_gives_way_to_the_next);
    check_run(test_a_written_slot_that_rotted_over_a_reset_is_written_again);
    check_run(test_a_store_that_fails_at_the_last_moment_leaves_nothing_half_done);
    check_run(test_an_update_wears_no_sector_more_than_it_must);
    check_run(test_the_policy_may_grant_attempts);
    check_run(test_a_deployment_that_failed_is_not_tried_again);
    check_run(test_the_deadline_of_one_order_does_not_count_for_the_next);
    check_run(test_small_pieces_give_the_same_image);
    check_run(test_paused_nothing_is_fetched_and_check_ins_go_on);
    check_run(test_a_throttle_is_obeyed);
    check_run(test_retry_after_is_obeyed);
    check_run(test_back_off_doubles_and_stays_below_its_limit);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
