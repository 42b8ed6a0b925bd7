/* guards_test.c - device/src/: guards that stand behind other guards, each looked at alone.
 *
 * In a healthy run another check comes first, so nothing would show if one of these were
 * missing (tests/mutants/ takes each away). Here the world changes between the two.
 */
#include <string.h>
#include "device/src/journal.h"
#include "device/src/outbox.h"
#include "device/src/store.h"
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

/* --- confirming --- */

static void journal_names_another_image(struct world *world)
{
    world->session.plan.digest[0] ^= 1;
}

static void test_only_the_image_that_the_journal_names_is_marked_valid(void)
{
    begin();
    w.hook_state = "CONFIRM";
    w.hook = journal_names_another_image;
    check(boots());
    check(world_settle(&w));
    check_equal(w.seen.marks_valid, 0);
    check(world_runs(&w, &w.old));
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check(report != NULL);
    check_equal(report->detail, MOULT_D_SLOT_MISMATCH);
    check_equal(report->reason, MOULT_R_CONFIRM_FAILED);
}

static void otadata_selects_the_other_slot(struct world *world)
{
    if (world->sim.set_boot(world->port.context, 0) != 0) { world->seen.panic = "otadata"; }
}

static void test_nothing_is_marked_valid_while_another_slot_is_selected(void)
{
    begin();
    w.hook_state = "CONFIRM";
    w.hook = otadata_selects_the_other_slot;
    check(boots());
    check(world_until(&w, "ROLLBACK"));
    check(w.seen.panic == NULL);
    check_equal(w.seen.marks_valid, 0);
}

static void test_an_image_that_is_not_confirmed_raises_no_floor(void)
{
    begin();
    world_image(&w, &w.new,
                &(struct world_image_options){
                    .sequence = 2, .version = "1.1.0", .rollback_floor = 2});
    world_offer(&w, &w.new);
    w.release.rollback_floor = 2;
    world_sign_release(&w, 0);
    w.mark_valid_error = -1;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check_equal(w.session.floor.stored, 0);
}

static void test_a_failed_trial_counts_once_per_order(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_FAILED;
    check(boots());
    check(world_settle(&w));
    check_equal(w.session.blocks[0].failures, 1);
    /* A cut between the count and the end of the plan comes here again. */
    check_equal(moult_blocks_count(&w.session), MOULT_OK);
    check_equal(w.session.blocks[0].failures, 1);
    w.session.plan.deployment[0] ^= 1;
    check_equal(moult_blocks_count(&w.session), MOULT_OK);
    check_equal(w.session.blocks[0].failures, 2);
}

/* What the journal said when the boot slot was touched. */
static uint8_t stage_at_set_boot, stage_at_mark_valid, stage_at_mark_invalid;

static int32_t note_set_boot(void *context, uint32_t slot)
{
    stage_at_set_boot = w.session.plan.stage;
    return w.sim.set_boot(context, slot);
}

static int32_t note_mark_valid(void *context)
{
    stage_at_mark_valid = w.session.plan.stage;
    return w.sim.mark_valid(context);
}

static int32_t note_mark_invalid(void *context)
{
    stage_at_mark_invalid = w.session.plan.stage;
    return w.sim.mark_invalid_and_reboot(context);
}

static void note_stages(struct world *world)
{
    world->port.set_boot = note_set_boot;
    world->port.mark_valid = note_mark_valid;
    world->port.mark_invalid_and_reboot = note_mark_invalid;
}

static void test_the_journal_knows_before_otadata_does(void)
{
    begin();
    w.rewire = note_stages;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(stage_at_set_boot, MOULT_STAGE_ARMED);
    check_equal(stage_at_mark_valid, MOULT_STAGE_PASSED);

    begin();
    w.rewire = note_stages;
    w.health[2] = MOULT_HEALTH_FAILED;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check_equal(stage_at_mark_invalid, MOULT_STAGE_FAILED);
}

/* --- flash --- */

static void a_bit_of_the_first_sector_rots(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + 200] ^= 1;
}

static void test_the_first_sector_is_proven_after_its_head_is_written(void)
{
    begin();
    w.hook_state = "ARM"; /* everything has been verified */
    w.hook = a_bit_of_the_first_sector_rots;
    check(boots());
    check(world_hears(&w, MOULT_D_FLASH_WRITE));
    check_equal(world_report_with(&w, MOULT_D_FLASH_WRITE)->reason, MOULT_R_FLASH_READBACK);
    check(world_runs(&w, &w.old));
    check(!world_slot_boots(&w, 1));
}

static void test_a_first_sector_that_only_claims_to_be_erased_ends_the_attempt(void)
{
    begin();
    world_put(&w, 1, &w.old); /* what must not boot while another image is being written */
    w.device.chip.flash.defects[0] =
        (struct moult_sim_defect){.kind = MOULT_SIM_DEAD_ERASE, .offset = SIM_SLOT_1_AT};
    check(boots());
    check(world_hears(&w, MOULT_D_ERASE));
    check_equal(w.artifact_requests, 0);
}

/* --- orders and keysets --- */

static void test_an_order_whose_counter_cannot_be_stored_is_not_carried_out(void)
{
    begin();
    check(boots());
    check(world_until(&w, "GATE"));
    check(boots());
    w.action = MOULT_ACTION_ABORT;
    w.kv_fails = "orders";
    check(world_hears(&w, MOULT_D_COUNTER_WRITE));
    check(w.session.plan.stage != 0);
    w.kv_fails = NULL;
    check(world_settle(&w));
    check_equal(w.session.plan.stage, 0);
}

static void test_an_answer_that_comes_late_is_not_believed(void)
{
    begin();
    check(boots());
    check(world_until(&w, "REPLY"));
    w.now_ms += 121000;
    check(world_until(&w, "IDLE"));
    check_equal(w.session.order_count, 0);

    begin();
    w.keyset_hint = 2; /* the order waits while the next keyset is asked for */
    check(boots());
    check(world_until(&w, "KEYSET"));
    w.now_ms += 121000;
    check(world_until(&w, "IDLE"));
    check_equal(w.session.order_count, 0);
    check(world_hears(&w, MOULT_D_NONCE));
}

static void say_version_2(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->keyset_version = 2;
}

static void offer_keyset(const struct moult_keyset *keyset)
{
    w.keysets[0] =
        statements_sign(&w.fleet, statements_keyset_payload(keyset), 3u << STATEMENTS_ROOT);
    w.keyset_count = 1;
    w.keyset_hint = 2;
}

static void names_a_neighbour(struct world *world, struct moult_assignment *order)
{
    static uint8_t id[16];
    (void)world;
    memcpy(id, order->device_id, sizeof id);
    id[15] ^= 1;
    order->device_id = id;
}

static void test_an_order_for_the_device_next_door_is_refused(void)
{
    begin();
    w.tweak_order = names_a_neighbour;
    check(boots());
    check(world_hears(&w, MOULT_D_ASSIGN_DEVICE));
    check_equal(w.release_requests, 0);
}

static void test_a_keyset_that_cannot_be_stored_is_not_used(void)
{
    begin();
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    offer_keyset(&second);
    w.kv_fails = "keyset";
    check(boots());
    check(world_hears(&w, MOULT_D_KEYSET_WRITE));
    check_equal(w.session.trust.keyset.version, 1);
}

/* Which key may assign. The keyset lists no key without a role. */
static void keep_one_assign_key(struct moult_keyset *keyset, uint8_t which)
{
    keyset->keys[STATEMENTS_ASSIGN] = keyset->keys[which];
    keyset->key_count = STATEMENTS_ASSIGN + 1;
    keyset->roles.of[MOULT_ROLE_ASSIGN] =
        (struct moult_keyset_role){1, 1, {STATEMENTS_ASSIGN}};
}

static void test_the_counter_of_a_key_goes_with_the_key(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    check(boots());
    check(world_settle(&w));
    check_equal(w.session.order_count, 1);
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    keep_one_assign_key(&second, STATEMENTS_ASSIGN + 1);
    offer_keyset(&second);
    w.order_keys = 1u << (STATEMENTS_ASSIGN + 1);
    w.tweak_order = say_version_2;
    check(world_settle(&w));
    check_equal(w.session.trust.keyset.version, 2);
    check_equal(w.session.order_count, 1);
}

static void test_a_refused_keyset_and_a_refused_order_are_told_once_each(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    struct moult_keyset second = statements_keyset(&w.fleet, 3); /* not the next one */
    offer_keyset(&second);
    w.order_keys = 1u << STATEMENTS_RELEASE;
    check(boots());
    check(world_settle(&w));
    check_equal(w.report_count, 2);
    w.order_keys = 0; /* orders are good again, the keyset is not */
    check(world_settle(&w));
    check_equal(w.report_count, 2);
    check(w.checkins < 12);
}

/* Version 2 is adopted and stored; then an image with version 3 baked in is flashed. */
static void test_the_newest_of_stored_and_baked_keysets_counts(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    offer_keyset(&second);
    check(boots());
    check(world_settle(&w));
    check_equal(w.session.trust.keyset.version, 2);
    w.keyset_hint = 0;
    struct moult_keyset third = statements_keyset(&w.fleet, 3);
    w.fleet.envelope =
        statements_sign(&w.fleet, statements_keyset_payload(&third), 3u << STATEMENTS_ROOT);
    world_image(&w, &w.old,
                &(struct world_image_options){.sequence = 1, .version = "1.0.0"});
    world_put(&w, 0, &w.old);
    check(boots());
    check(world_until(&w, "IDLE"));
    check_equal(w.session.trust.keyset.version, 3);
}

/* --- reports --- */

static void server_goes_away(struct world *world)
{
    world->is_down = true;
}

static void test_a_report_outlives_a_server_that_is_away_or_ill(void)
{
    static const char *const when[] = {"CHECKIN", "REPLY"};
    for (unsigned i = 0; i < 2; i++) {
        begin();
        w.action = MOULT_ACTION_NONE;
        w.order_keys = 1u << STATEMENTS_RELEASE; /* an event to tell */
        check(boots());
        check(world_until(&w, "ORDER"));
        check(world_until(&w, "IDLE"));
        check_equal(moult_outbox_count(&w.session), 1);
        w.hook_state = when[i];
        w.hook = server_goes_away;
        w.checkin_status = 503; /* unless it is away */
        check(world_until(&w, "REPLY"));
        check(world_until(&w, "IDLE"));
        check_equal(moult_outbox_count(&w.session), 1);
        w.checkin_status = 0;
        w.is_down = false;
        check(world_settle(&w));
        check_equal(w.report_count, 1);
    }
}

/* --- the network --- */

static unsigned unbound_ranges;
static int32_t (*start_behind)(void *context, const struct moult_http_request *request);

static int32_t start(void *context, const struct moult_http_request *request)
{
    bool is_bound = request->if_range && request->if_range[0] == '"';
    unbound_ranges += request->has_range && request->range_from > 0 && !is_bound;
    return start_behind(context, request);
}

static void test_a_range_behind_the_first_names_the_file_it_belongs_to(void)
{
    begin();
    unbound_ranges = 0;
    check(boots());
    start_behind = w.port.http_start;
    w.port.http_start = start;
    check(world_until(&w, "REBOOT"));
    check(w.artifact_requests > 1);
    check_equal(unbound_ranges, 0);
}

static uint64_t second_try_ms(uint64_t seed)
{
    begin();
    w.random = seed;
    w.is_down = true;
    w.config.backoff_first_ms = 60000;
    if (!boots() || !world_until(&w, "CHECKIN") || !world_until(&w, "IDLE") ||
        !world_until(&w, "CHECKIN")) {
        return 0;
    }
    return w.now_ms;
}

static void test_two_devices_do_not_come_back_together(void)
{
    uint64_t one = second_try_ms(1), other = second_try_ms(77);
    check(one != 0 && other != 0);
    check(one > other ? one - other > 100 : other - one > 100);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_only_the_image_that_the_journal_names_is_marked_valid);
    check_run(test_nothing_is_marked_valid_while_another_slot_is_selected);
    check_run(test_an_image_that_is_not_confirmed_raises_no_floor);
    check_run(test_a_failed_trial_counts_once_per_order);
    check_run(test_the_journal_knows_before_otadata_does);
    check_run(test_the_first_sector_is_proven_after_its_head_is_written);
    check_run(test_a_first_sector_that_only_claims_to_be_erased_ends_the_attempt);
    check_run(test_an_order_whose_counter_cannot_be_stored_is_not_carried_out);
    check_run(test_an_answer_that_comes_late_is_not_believed);
    check_run(test_an_order_for_the_device_next_door_is_refused);
    check_run(test_a_keyset_that_cannot_be_stored_is_not_used);
    check_run(test_the_counter_of_a_key_goes_with_the_key);
    check_run(test_a_refused_keyset_and_a_refused_order_are_told_once_each);
    check_run(test_the_newest_of_stored_and_baked_keysets_counts);
    check_run(test_a_report_outlives_a_server_that_is_away_or_ill);
    check_run(test_a_range_behind_the_first_names_the_file_it_belongs_to);
    check_run(test_two_devices_do_not_come_back_together);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
