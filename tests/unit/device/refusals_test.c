/* refusals_test.c - device/src/: steps 0 to 10 of the verification order, provoked to say
 * no.
 *
 * Each row breaks one thing. The device must name it by its code, keep the old image
 * running and leave a target slot that no bootloader accepts. `fetches` says whether the
 * artifact may have been asked for: what can be known before the download is refused before
 * it.
 */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

enum {
    EVENT = MOULT_REPORT_EVENT,
    FAILED = MOULT_REPORT_FAILED,
    LATER = MOULT_REPORT_DEFERRED
};

/* --- step 0: what the device finds at boot -----------------------------------------------
 * */

static void no_baked_keyset(void)
{
    world_image(&w, &w.old,
                &(struct world_image_options){
                    .sequence = 1, .version = "1.0.0", .without_keyset = true});
    world_put(&w, 0, &w.old);
}

/* Damages a bank that the device will find: boots once to have a store to write to. */
static void put_garbage(const char *key)
{
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return; }
    uint8_t garbage[40] = {1, 2, 3};
    if (w.port.kv_set(w.port.context, key, garbage, sizeof garbage) != 0) { return; }
}

static void damaged_keyset_bank(void)
{
    put_garbage("keyset.0");
}

static void damaged_floor(void)
{
    put_garbage("floor.1");
}

static void other_partition_table(void)
{
    static const uint8_t digest[32] = {1};
    w.config.table_digest = digest;
}

/* --- step 2: the envelope --- */

static void trailing_byte(void)
{
    w.order_padding = 1;
}

static void put_profile_violation(struct statements_bytes *envelope)
{
    envelope->data[envelope->size - 66] =
        0x5f; /* the signature's head: indefinite length */
}

static void breaks_the_profile(void)
{
    w.spoil_envelope = put_profile_violation;
}

static void put_other_algorithm(struct statements_bytes *envelope)
{
    envelope->data[envelope->size - 77] = 0x26 + 1; /* alg: -8 (EdDSA) */
}

static void other_algorithm(void)
{
    w.spoil_envelope = put_other_algorithm;
}

static const char *edit_path, *edit_hex;

static void edit(struct statements_bytes *payload)
{
    cbor_edit(payload, edit_path, edit_hex);
}

static void order_edited(const char *path, const char *hex)
{
    edit_path = path;
    edit_hex = hex;
    w.spoil_payload = edit;
}

/* --- step 3: keysets --- */

static void offer_keyset(struct statements_bytes payload, unsigned keys)
{
    w.keysets[0] = statements_sign(&w.fleet, payload, keys);
    w.keyset_count = 1;
    w.keyset_hint = 2;
}

static struct statements_bytes keyset_payload(uint32_t version)
{
    struct moult_keyset keyset = statements_keyset(&w.fleet, version);
    return statements_keyset_payload(&keyset);
}

enum { ROOTS = 3 << STATEMENTS_ROOT };

static void keyset_not_there(void)
{
    w.keyset_hint = 2;
}

static void keyset_with_trailing_byte(void)
{
    offer_keyset(keyset_payload(2), ROOTS);
    w.keysets[0].data[w.keysets[0].size++] = 0;
}

static void keyset_breaks_the_profile(void)
{
    offer_keyset(keyset_payload(2), ROOTS);
    w.keysets[0].data[w.keysets[0].size - 66] = 0x5f;
}

static void keyset_with_other_algorithm(void)
{
    offer_keyset(keyset_payload(2), ROOTS);
    w.keysets[0].data[w.keysets[0].size - 77] = 0x27;
}

static void keyset_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = keyset_payload(2);
    cbor_edit(&payload, path, hex);
    offer_keyset(payload, ROOTS);
}

static void keyset_of_another_type(void)
{
    keyset_edited("1", "01");
}

static void keyset_of_another_format(void)
{
    keyset_edited("2", "02");
}

static void keyset_with_unknown_key(void)
{
    keyset_edited("63", "00");
}

static void keyset_without_roles(void)
{
    keyset_edited("6", NULL);
}

static void keyset_of_another_fleet(void)
{
    keyset_edited("3", "5000000000000000000000000000000000");
}

static void keyset_that_skips_a_version(void)
{
    offer_keyset(keyset_payload(3), ROOTS);
}

static void keyset_with_a_key_in_two_roles(void)
{
    struct moult_keyset keyset = statements_keyset(&w.fleet, 2);
    keyset.roles.of[MOULT_ROLE_ASSIGN].index[0] = STATEMENTS_RELEASE + 1;
    keyset.roles.of[MOULT_ROLE_ASSIGN].index[1] = STATEMENTS_ASSIGN + 1;
    offer_keyset(statements_keyset_payload(&keyset), ROOTS);
}

static void keyset_by_one_old_root(void)
{
    offer_keyset(keyset_payload(2), 1u << STATEMENTS_ROOT);
}

/* A root set of its own, signed by that and not by the old one; and the other way round. */
static struct moult_keyset other_roots(void)
{
    struct moult_keyset keyset = statements_keyset(&w.fleet, 2);
    struct moult_keyset_roles *roles = &keyset.roles;
    roles->of[MOULT_ROLE_ROOT] = (struct moult_keyset_role){2, 2, {0, 6}};
    roles->of[MOULT_ROLE_RELEASE] = (struct moult_keyset_role){1, 4, {1, 2, 3, 4}};
    roles->of[MOULT_ROLE_ASSIGN] = (struct moult_keyset_role){1, 1, {5}};
    return keyset;
}

static void keyset_by_new_roots_only(void)
{
    struct moult_keyset keyset = other_roots();
    offer_keyset(statements_keyset_payload(&keyset), 1u << 0 | 1u << 6);
}

static void keyset_by_old_roots_only(void)
{
    struct moult_keyset keyset = other_roots();
    offer_keyset(statements_keyset_payload(&keyset), ROOTS);
}

static void more_than_16_keysets(void)
{
    w.has_endless_keysets = true;
    w.keyset_hint = 40;
}

static void keyset_cannot_be_stored(void)
{
    offer_keyset(keyset_payload(2), ROOTS);
    w.kv_fails = "keyset";
}

static void keyset_past_its_date(void)
{
    struct moult_keyset keyset = statements_keyset(&w.fleet, 2);
    keyset.present |= 1u << 7;
    keyset.not_after = 1000000;
    offer_keyset(statements_keyset_payload(&keyset), ROOTS);
    w.action = MOULT_ACTION_NONE;
    order_edited("12", "02"); /* the server knows it as well */
}

/* --- step 4: the assignment --- */

static void order_by_a_release_key(void)
{
    w.order_keys = 1u << STATEMENTS_RELEASE;
}

static void order_of_another_type(void)
{
    order_edited("1", "01");
}

static void order_of_another_format(void)
{
    order_edited("2", "02");
}

static void order_with_unknown_key(void)
{
    order_edited("63", "00");
}

static void order_without_release(void)
{
    order_edited("11", NULL);
}

static void order_for_another_fleet(void)
{
    order_edited("3", "5000000000000000000000000000000000");
}

static void order_for_another_device(void)
{
    order_edited("4", "5000000000000000000000000000000000");
}

static void order_with_an_old_nonce(void)
{
    order_edited("6", "5000000000000000000000000000000000");
}

/* The first order sets the bar, the next ones are below it. */
static void count_down(struct world *world, struct moult_assignment *order)
{
    order->counter = 1000 - world->checkins;
}

static void order_with_a_lower_counter(void)
{
    w.tweak_order = count_down;
    w.action = MOULT_ACTION_NONE;
}

static void order_of_a_newer_keyset(void)
{
    order_edited("12", "09");
}

static void order_of_an_older_keyset(void)
{
    offer_keyset(keyset_payload(2), ROOTS); /* adopted, but the server goes on saying 1 */
    w.action = MOULT_ACTION_NONE;
}

/* --- steps 5 and 6 --- */

static void counter_cannot_be_stored(void)
{
    w.kv_fails = "orders";
}

static void after_the_deadline(void)
{
    w.policy.give_up_s = 5;
    w.policy_keys = 1u << MOULT_POLICY_GIVE_UP;
    w.transfer = WORLD_STALL;
    w.config.http_timeout_ms = 10000;
}

static void outside_the_window(void)
{
    w.policy.window_count = 1;
    w.policy.windows[0] = (struct moult_window){MOULT_WINDOW_DOWNLOAD, 1000, 2000};
    w.policy_keys = 1u << MOULT_POLICY_WINDOWS;
}

static void battery_low(void)
{
    w.policy.battery_percent = 50;
    w.policy_keys = 1u << MOULT_POLICY_BATTERY;
    w.battery_percent = 49;
}

static void user_says_later(void)
{
    w.policy.consent = 1;
    w.policy_keys = 1u << MOULT_POLICY_CONSENT;
    w.answer = MOULT_ANSWER_LATER;
}

static void user_says_no(void)
{
    w.policy.consent = 1;
    w.policy_keys = 1u << MOULT_POLICY_CONSENT;
    w.answer = MOULT_ANSWER_NO;
}

/* --- step 7: the release --- */

static void release_not_there(void)
{
    w.release_status = 404;
}

static void release_with_trailing_byte(void)
{
    w.release_envelope.data[w.release_envelope.size++] = 0;
}

static void release_over_1024_bytes(void)
{
    w.release_envelope.size = 1025;
}

static void release_breaks_the_profile(void)
{
    w.release_envelope.data[w.release_envelope.size - 66] = 0x5f;
}

static void release_with_other_algorithm(void)
{
    w.release_envelope.data[w.release_envelope.size - 77] = 0x27;
}

static void release_by_an_assign_key(void)
{
    world_sign_release(&w, 1u << STATEMENTS_ASSIGN);
}

static void release_with_a_flipped_bit(void)
{
    w.release_envelope.data[20] ^=
        1; /* within the fleet id; exactly its threshold of signatures */
}

static void release_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = statements_release_payload(&w.release);
    cbor_edit(&payload, path, hex);
    w.release_envelope = statements_sign(&w.fleet, payload, 1u << STATEMENTS_RELEASE);
    statements_payload_digest(&w.fleet, &w.release_envelope, w.release_digest);
}

static void release_of_another_type(void)
{
    release_edited("1", "02");
}

static void release_of_another_format(void)
{
    release_edited("2", "02");
}

static void release_with_unknown_key(void)
{
    release_edited("63", "00");
}

static void release_without_sequence(void)
{
    release_edited("5", NULL);
}

static void another_release(void)
{
    uint8_t named[32];
    memcpy(named, w.release_digest, sizeof named);
    w.release.sequence = 3;
    world_sign_release(&w, 0);
    memcpy(w.release_digest, named, sizeof named);
}

static void release_of_another_fleet(void)
{
    release_edited("3", "5000000000000000000000000000000000");
}

static void release_of_another_class(void)
{
    release_edited("4", "5000000000000000000000000000000000");
}

/* --- steps 8 and 9 --- */

static void below_the_floor(void)
{
    world_image(&w, &w.old,
                &(struct world_image_options){
                    .sequence = 3, .version = "3.0.0", .rollback_floor = 3});
    world_put(&w, 0, &w.old);
}

static void needs_a_stepping_stone(void)
{
    w.release.source_sequence = 2;
    w.release.present |= 1u << MOULT_RELEASE_SOURCE_SEQUENCE;
    world_sign_release(&w, 0);
}

static void below_the_fuses(void)
{
    world_image(&w, &w.old,
                &(struct world_image_options){
                    .sequence = 1, .version = "1.0.0", .secure_version = 2});
    world_put(&w, 0, &w.old);
    if (moult_sim_efuse_burn(&w.device.chip, 2) != MOULT_OK) { return; }
}

static void past_its_date(void)
{
    w.release.use_before = 1000000;
    w.release.present |= 1u << MOULT_RELEASE_USE_BEFORE;
    world_sign_release(&w, 0);
}

static void depends_on_something_else(void)
{
    struct moult_component *c = &w.release.components[0];
    c->present |= 1u << MOULT_COMPONENT_DEPENDENCIES;
    c->dependency_count = 1;
    c->dependencies[0] = (struct moult_dependency){MOULT_COMPONENT_FILESYSTEM, 1};
    world_sign_release(&w, 0);
}

static void for_a_file_system(void)
{
    w.release.components[0].id = MOULT_COMPONENT_FILESYSTEM;
    world_sign_release(&w, 0);
}

static void for_another_chip(void)
{
    w.release.components[0].chip_id = 9;
    world_sign_release(&w, 0);
}

static void for_a_later_revision(void)
{
    w.release.components[0].revision_min = 100;
    world_sign_release(&w, 0);
}

static void too_large_for_the_slot(void)
{
    w.release.components[0].size = SIM_SLOT_SIZE + 16;
    world_sign_release(&w, 0);
}

static void for_a_labelled_partition(void)
{
    w.release.components[0].present |= 1u << MOULT_COMPONENT_LABEL;
    w.release.components[0].label = (struct moult_bytes){(const uint8_t *)"storage", 7};
    world_sign_release(&w, 0);
}

/* --- step 10: sources --- */

static void unknown_encoding(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->sources[0].encoding = 5;
    order->sources[0].decoder_ram = 100;
    order->sources[0].present |= 1u << MOULT_SOURCE_DECODER_RAM;
}

static void only_a_patch(void)
{
    w.tweak_order = unknown_encoding;
}

static void other_host(struct world *world, struct moult_assignment *order)
{
    static const char url[] = "https://elsewhere.test/x";
    (void)world;
    order->sources[0].url = (struct moult_bytes){(const uint8_t *)url, sizeof url - 1};
}

static void source_on_another_host(void)
{
    w.tweak_order = other_host;
}

static void other_size(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->sources[0].size++;
}

static void raw_source_of_another_size(void)
{
    w.tweak_order = other_size;
}

static const struct world_refusal rows[] = {
    {"no baked keyset", no_baked_keyset, MOULT_D_ANCHOR, EVENT, false},
    {"damaged keyset bank", damaged_keyset_bank, MOULT_D_KEYSET_STORE, EVENT, true},
    {"damaged floor", damaged_floor, MOULT_D_FLOOR_STORE, EVENT, true},
    {"other partition table", other_partition_table, MOULT_D_PTABLE, EVENT, false},
    {"byte behind the order", trailing_byte, MOULT_D_ASSIGN_SIZE, EVENT, false},
    {"order breaks the profile", breaks_the_profile, MOULT_D_ASSIGN_CBOR, EVENT, false},
    {"order of another algorithm", other_algorithm, MOULT_D_ASSIGN_COSE, EVENT, false},
    {"keyset not there", keyset_not_there, MOULT_D_KEYSET_FETCH, EVENT, true},
    {"byte behind the keyset", keyset_with_trailing_byte, MOULT_D_KEYSET_SIZE, EVENT, true},
    {"keyset profile", keyset_breaks_the_profile, MOULT_D_KEYSET_CBOR, EVENT, true},
    {"keyset algorithm", keyset_with_other_algorithm, MOULT_D_KEYSET_COSE, EVENT, true},
    {"keyset type", keyset_of_another_type, MOULT_D_KEYSET_TYPE, EVENT, true},
    {"keyset format", keyset_of_another_format, MOULT_D_KEYSET_FORMAT, EVENT, true},
    {"keyset unknown key", keyset_with_unknown_key, MOULT_D_KEYSET_UNKNOWN, EVENT, true},
    {"keyset without roles", keyset_without_roles, MOULT_D_KEYSET_FIELD, EVENT, true},
    {"keyset fleet", keyset_of_another_fleet, MOULT_D_KEYSET_FLEET, EVENT, true},
    {"keyset skips one", keyset_that_skips_a_version, MOULT_D_KEYSET_VERSION, EVENT, true},
    {"key in two roles", keyset_with_a_key_in_two_roles, MOULT_D_KEYSET_RULES, EVENT, true},
    {"one old root of two", keyset_by_one_old_root, MOULT_D_KEYSET_SIG_OLD, EVENT, true},
    {"new roots only", keyset_by_new_roots_only, MOULT_D_KEYSET_SIG_OLD, EVENT, true},
    {"old roots only", keyset_by_old_roots_only, MOULT_D_KEYSET_SIG_NEW, EVENT, true},
    {"17 keysets at once", more_than_16_keysets, MOULT_D_KEYSET_HOPS, EVENT, true},
    {"keyset not stored", keyset_cannot_be_stored, MOULT_D_KEYSET_WRITE, EVENT, true},
    {"keyset past its date", keyset_past_its_date, MOULT_D_KEYSET_EXPIRED, EVENT, false},
    {"order by a release key", order_by_a_release_key, MOULT_D_ASSIGN_SIG, EVENT, false},
    {"order type", order_of_another_type, MOULT_D_ASSIGN_TYPE, EVENT, false},
    {"order format", order_of_another_format, MOULT_D_ASSIGN_FORMAT, EVENT, false},
    {"order unknown key", order_with_unknown_key, MOULT_D_ASSIGN_UNKNOWN, EVENT, false},
    {"order without release", order_without_release, MOULT_D_ASSIGN_FIELD, EVENT, false},
    {"order fleet", order_for_another_fleet, MOULT_D_ASSIGN_FLEET, EVENT, false},
    {"order device", order_for_another_device, MOULT_D_ASSIGN_DEVICE, EVENT, false},
    {"old nonce", order_with_an_old_nonce, MOULT_D_NONCE, EVENT, false},
    {"lower counter", order_with_a_lower_counter, MOULT_D_COUNTER, EVENT, false},
    {"newer keyset", order_of_a_newer_keyset, MOULT_D_KEYSET_BEHIND, EVENT, false},
    {"older keyset", order_of_an_older_keyset, MOULT_D_SERVER_BEHIND, EVENT, false},
    {"counter not stored", counter_cannot_be_stored, MOULT_D_COUNTER_WRITE, EVENT, false},
    {"after the deadline", after_the_deadline, MOULT_D_DEADLINE, FAILED, true},
    {"outside the window", outside_the_window, MOULT_D_DEFER_WINDOW, LATER, false},
    {"battery low", battery_low, MOULT_D_DEFER_BATTERY, LATER, false},
    {"user says later", user_says_later, MOULT_D_DEFER_CONSENT, MOULT_REPORT_USER_DEFERRED,
     false},
    {"user says no", user_says_no, MOULT_D_DEFER_CONSENT, FAILED, false},
    {"release not there", release_not_there, MOULT_D_RELEASE_FETCH, FAILED, false},
    {"byte behind the release", release_with_trailing_byte, MOULT_D_RELEASE_SIZE, FAILED,
     false},
    {"release over 1024", release_over_1024_bytes, MOULT_D_RELEASE_SIZE, FAILED, false},
    {"release profile", release_breaks_the_profile, MOULT_D_RELEASE_CBOR, FAILED, false},
    {"release algorithm", release_with_other_algorithm, MOULT_D_RELEASE_COSE, FAILED,
     false},
    {"release by assign key", release_by_an_assign_key, MOULT_D_RELEASE_SIG, FAILED, false},
    {"release bit flipped", release_with_a_flipped_bit, MOULT_D_RELEASE_SIG, FAILED, false},
    {"release type", release_of_another_type, MOULT_D_RELEASE_TYPE, FAILED, false},
    {"release format", release_of_another_format, MOULT_D_RELEASE_FORMAT, FAILED, false},
    {"release unknown key", release_with_unknown_key, MOULT_D_RELEASE_UNKNOWN, FAILED,
     false},
    {"release field", release_without_sequence, MOULT_D_RELEASE_FIELD, FAILED, false},
    {"another release", another_release, MOULT_D_RELEASE_BIND, FAILED, false},
    {"release fleet", release_of_another_fleet, MOULT_D_RELEASE_FLEET, FAILED, false},
    {"release class", release_of_another_class, MOULT_D_RELEASE_CLASS, FAILED, false},
    {"below the floor", below_the_floor, MOULT_D_SEQ_FLOOR, FAILED, false},
    {"stepping stone", needs_a_stepping_stone, MOULT_D_SEQ_SOURCE, FAILED, false},
    {"below the fuses", below_the_fuses, MOULT_D_SECVER, FAILED, false},
    {"past its date", past_its_date, MOULT_D_RELEASE_EXPIRED, FAILED, false},
    {"dependency", depends_on_something_else, MOULT_D_DEPENDENCY, FAILED, false},
    {"file system", for_a_file_system, MOULT_D_COMPONENT, FAILED, false},
    {"other chip", for_another_chip, MOULT_D_CHIP, FAILED, false},
    {"later revision", for_a_later_revision, MOULT_D_CHIP_REV, FAILED, false},
    {"too large", too_large_for_the_slot, MOULT_D_SLOT_SIZE, FAILED, false},
    {"labelled partition", for_a_labelled_partition, MOULT_D_PARTITION, FAILED, false},
    {"only a patch", only_a_patch, MOULT_D_NO_SOURCE, FAILED, false},
    {"other host", source_on_another_host, MOULT_D_NO_SOURCE, FAILED, false},
    {"other size", raw_source_of_another_size, MOULT_D_NO_SOURCE, FAILED, false},
};

static void test_each_refusal_has_its_code_and_leaves_the_old_image(void)
{
    unsigned failures = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world_copy(&w, &fresh);
        failures += !world_refuses(&w, &rows[i]);
    }
    check_equal(failures, 0);
}

static void test_no_source_names_the_last_refusal(void)
{
    world_copy(&w, &fresh);
    only_a_patch();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_hears(&w, MOULT_D_NO_SOURCE));
    const struct world_report *report = world_report_with(&w, MOULT_D_NO_SOURCE);
    check_equal(report->native, MOULT_D_ENCODING);
    check(strcmp(report->text, "last E1002") == 0);
    world_copy(&w, &fresh);
    source_on_another_host();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_hears(&w, MOULT_D_NO_SOURCE));
    check_equal(world_report_with(&w, MOULT_D_NO_SOURCE)->native, MOULT_D_URI);
}

static void test_without_entropy_nothing_is_sent(void)
{
    world_copy(&w, &fresh);
    w.has_entropy = false;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 2000; i++) {
        check(world_step(&w));
    }
    check_equal(w.checkins, 0);
    check_equal(w.session.trouble.detail, MOULT_D_RNG);
    w.has_entropy = true;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_network_trouble_is_told_once_when_it_is_over(void)
{
    static const struct {
        enum moult_net_failure kind;
        uint16_t detail, reason;
    } kinds[] = {
        {MOULT_NET_DNS, MOULT_D_NET, MOULT_R_NET_DNS},
        {MOULT_NET_CONNECT, MOULT_D_NET, MOULT_R_NET_CONNECT},
        {MOULT_NET_TLS, MOULT_D_TLS, MOULT_R_NET_TLS_HANDSHAKE},
        {MOULT_NET_CERT, MOULT_D_TLS, MOULT_R_NET_TLS_CERT},
        {MOULT_NET_PROTOCOL, MOULT_D_HTTP, MOULT_R_HTTP_STATUS},
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        world_copy(&w, &fresh);
        w.is_down = true;
        w.down_kind = kinds[i].kind;
        w.action = MOULT_ACTION_NONE;
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        for (unsigned k = 0; k < 200; k++) {
            check(world_step(&w));
        }
        w.is_down = false;
        check(world_settle(&w));
        check_equal(w.report_count, 1);
        check_equal(w.reports[0].detail, kinds[i].detail);
        check_equal(w.reports[0].reason, kinds[i].reason);
    }
}

/* A statement with any single bit flipped is never accepted. */
static void test_no_flipped_bit_of_an_order_passes(void)
{
    world_copy(&w, &fresh);
    w.keeps_offering = true;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_until(&w, "ORDER"));
    struct moult_session *s = &w.session;
    size_t size = s->contact.order.size;
    check(size > 200);
    uint8_t *order = s->reply + (s->contact.order.data - s->reply);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        order[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct moult_cose cose;
        struct moult_assignment out;
        struct moult_assignment_expect expect = {.keyset = &s->trust.keyset,
                                                 .device_id = s->config.device_id,
                                                 .nonce = s->contact.nonce};
        bool passes = moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, s->contact.order, &cose,
                                       NULL) == MOULT_OK &&
                      moult_assignment_verify(&w.fleet.crypto, &cose, &expect, &out,
                                              NULL) == MOULT_OK;
        order[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(!passes);
    }
}

int main(void)
{
    world_make(&fresh);
    fresh.keeps_offering = true;
    check_run(test_each_refusal_has_its_code_and_leaves_the_old_image);
    fresh.keeps_offering = false;
    check_run(test_no_source_names_the_last_refusal);
    check_run(test_without_entropy_nothing_is_sent);
    check_run(test_network_trouble_is_told_once_when_it_is_over);
    check_run(test_no_flipped_bit_of_an_order_passes);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
