/* hostile_server_test.c - rows 1 to 10, 19, 20 and 24 of the attack matrix: who may say
 * what is to be installed. See tests/support/hostile.h and docs/design/attack-tests.md.
 *
 * HOSTILE_RUNS=n seeds per attack; ROW=n SEED=n repeats one run.
 */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/hostile.h"

static struct world *const w = &hostile_world;

enum {
    ROOTS = 3u << STATEMENTS_ROOT,
    RELEASE_KEY = 1u << STATEMENTS_RELEASE,
    OTHER_RELEASE_KEY = 2u << STATEMENTS_RELEASE,
    ASSIGN_KEY = 1u << STATEMENTS_ASSIGN,
    OTHER_ASSIGN_KEY = 2u << STATEMENTS_ASSIGN,
    OWN_SEQUENCE = 1000,
};

/* --- row 1: nothing but the network --- */

static void own_order(struct statements_bytes *envelope)
{
    struct moult_assignment order = statements_install(&w->fleet, w->release_digest, 0);
    order.nonce = w->served_nonce;
    order.counter = hostile_draw64();
    *envelope = statements_sign(&hostile_own, statements_assignment_payload(&order),
                                (1u + hostile_draw(3)) << STATEMENTS_ASSIGN);
}

static void order_by_own_keys(void)
{
    w->spoil_envelope = own_order;
}

static struct moult_keyset own_keyset(void)
{
    return statements_keyset(&hostile_own, 2);
}

static void keyset_of_own_roots(void)
{
    struct moult_keyset keyset = own_keyset();
    hostile_keyset(statements_sign(&hostile_own, statements_keyset_payload(&keyset), ROOTS),
                   2);
    w->spoil_envelope = own_order;
}

static void release_by_own_keys(void)
{
    static uint8_t digest[32];
    hostile_bytes(digest, sizeof digest);
    w->release.components[0].digest = digest;
    w->release.components[0].size = 1000 + hostile_draw(50000);
    w->release.sequence = 2 + hostile_draw(OWN_SEQUENCE);
    uint8_t named[32];
    memcpy(named, w->release_digest, sizeof named);
    hostile_release_by(&hostile_own, (1u + hostile_draw(3)) << STATEMENTS_RELEASE);
    memcpy(w->release_digest, named, sizeof named); /* the true order names the true one */
}

static void random_bytes(uint8_t *data, uint32_t size, uint32_t place)
{
    (void)place;
    hostile_bytes(data, size);
}

static void image_of_own_making(void)
{
    hostile_net.spoil = random_bytes;
}

/* One bit of the last signature, wherever. */
static void flip_signature(struct statements_bytes *envelope)
{
    uint32_t bit = hostile_draw(64 * 8);
    envelope->data[envelope->size - 64 + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void order_with_a_bent_signature(void)
{
    w->spoil_envelope = flip_signature;
}

static const struct hostile_attack network[] = {
    {"order by own keys", order_by_own_keys, MOULT_D_ASSIGN_SIG, 0, KNOWN_BEFORE, NULL},
    {"keyset of own roots", keyset_of_own_roots, MOULT_D_KEYSET_SIG_OLD, 0, KNOWN_BEFORE,
     NULL},
    {"release by own keys", release_by_own_keys, MOULT_D_RELEASE_SIG, 0, KNOWN_BEFORE,
     NULL},
    {"image of own making", image_of_own_making, MOULT_D_XFER_DIGEST, 0, FOUND_LATER, NULL},
    {"bent signature", order_with_a_bent_signature, MOULT_D_ASSIGN_SIG, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 2: the server, with the assign key --- */

static void own_release(unsigned keys)
{
    static uint8_t digest[32];
    hostile_bytes(digest, sizeof digest);
    w->release.components[0].digest = digest;
    w->release.sequence = 2 + hostile_draw(OWN_SEQUENCE);
    hostile_sign_release(keys);
}

static void release_by_the_assign_key(void)
{
    own_release((1u + hostile_draw(3)) << STATEMENTS_ASSIGN);
}

static void release_by_own_release_keys(void)
{
    w->release.sequence = 2 + hostile_draw(OWN_SEQUENCE);
    hostile_release_by(&hostile_own, (1u + hostile_draw(3)) << STATEMENTS_RELEASE);
}

static void keyset_by_the_assign_key(void)
{
    struct moult_keyset keyset = statements_keyset(&w->fleet, 2);
    keyset.not_after = hostile_draw64() >> 20;
    hostile_keyset(
        statements_sign(&w->fleet, statements_keyset_payload(&keyset), ASSIGN_KEY), 2);
    w->action = MOULT_ACTION_KEYSET;
}

static void no_such_keyset(void)
{
    w->keyset_hint = 2 + hostile_draw(1000000);
}

static void change_size(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->sources[0].size += 1 + hostile_draw(100000);
}

static void source_of_another_size(void)
{
    hostile_order(change_size);
}

static uint8_t random_digest[32];

static void change_digest(struct world *world, struct moult_assignment *order)
{
    (void)world;
    hostile_bytes(random_digest, sizeof random_digest);
    order->sources[0].digest = random_digest;
}

static void source_of_another_digest(void)
{
    hostile_order(change_digest);
}

static void change_host(struct world *world, struct moult_assignment *order)
{
    static const char *const urls[] = {
        "https://elsewhere.test/x",  "https://moult.test.evil/x", "https://moult.tes/x",
        "http://moult.test/x",       "ftp://moult.test/x",        "x",
        "https://moult.test@evil/x",
    };
    const char *url = urls[hostile_draw(sizeof urls / sizeof urls[0])];
    (void)world;
    order->sources[0].url = (struct moult_bytes){(const uint8_t *)url, strlen(url)};
}

static void source_on_another_host(void)
{
    hostile_order(change_host);
}

static void name_another(struct world *world, struct moult_assignment *order)
{
    (void)world;
    hostile_bytes(random_digest, sizeof random_digest);
    order->release_digest = random_digest;
}

static void another_release_named(void)
{
    hostile_order(name_another);
}

static const struct hostile_attack server[] = {
    {"release by the assign key", release_by_the_assign_key, MOULT_D_RELEASE_SIG, 0,
     KNOWN_BEFORE, NULL},
    {"release by own keys", release_by_own_release_keys, MOULT_D_RELEASE_SIG, 0,
     KNOWN_BEFORE, NULL},
    {"keyset by the assign key", keyset_by_the_assign_key, MOULT_D_KEYSET_SIG_OLD, 0,
     KNOWN_BEFORE, NULL},
    {"no such keyset", no_such_keyset, MOULT_D_KEYSET_FETCH, 0, SURVIVED, NULL},
    {"source of another size", source_of_another_size, MOULT_D_NO_SOURCE, MOULT_D_XFER_SIZE,
     KNOWN_BEFORE, NULL},
    {"source of another digest", source_of_another_digest, MOULT_D_NO_SOURCE,
     MOULT_D_XFER_DIGEST, KNOWN_BEFORE, NULL},
    {"source on another host", source_on_another_host, MOULT_D_NO_SOURCE, MOULT_D_URI,
     KNOWN_BEFORE, NULL},
    {"another release named", another_release_named, MOULT_D_RELEASE_BIND, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 3: one of the keys of a threshold, and the assign key --- */

static void release_by_one_key(void)
{
    own_release(hostile_draw(2) ? RELEASE_KEY : OTHER_RELEASE_KEY);
}

static void release_by_one_and_the_assign_key(void)
{
    own_release(RELEASE_KEY | ASSIGN_KEY);
}

/* The one signature twice: two signatures, one key. */
static void release_by_one_key_twice(void)
{
    enum { SIGNATURE = 82, ONE = 0x81, TWO = 0x82 };
    own_release(hostile_draw(2) ? RELEASE_KEY : OTHER_RELEASE_KEY);
    struct statements_bytes *e = &w->release_envelope;
    uint8_t *count = e->data + e->size - SIGNATURE - 1;
    if (*count != ONE) { return; } /* then the code is missed, and the run fails */
    *count = TWO;
    memcpy(e->data + e->size, e->data + e->size - SIGNATURE, SIGNATURE);
    e->size += SIGNATURE;
}

static void keyset_by_one_root(void)
{
    struct moult_keyset keyset = statements_keyset(&w->fleet, 2);
    unsigned root = 1u << (STATEMENTS_ROOT + hostile_draw(3));
    hostile_keyset(
        statements_sign(&w->fleet, statements_keyset_payload(&keyset), root | RELEASE_KEY),
        2);
    w->action = MOULT_ACTION_KEYSET;
}

static const struct hostile_attack one_key[] = {
    {"release by one key", release_by_one_key, MOULT_D_RELEASE_SIG, 0, KNOWN_BEFORE, NULL},
    {"release by one key, twice", release_by_one_key_twice, MOULT_D_RELEASE_COSE, 0,
     KNOWN_BEFORE, NULL},
    {"release by it and an assign key", release_by_one_and_the_assign_key,
     MOULT_D_RELEASE_SIG, 0, KNOWN_BEFORE, NULL},
    {"keyset by one root", keyset_by_one_root, MOULT_D_KEYSET_SIG_OLD, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 4: keys that were revoked --- */

/* Keyset 2: without the first release key and the first assign key. */
static struct statements_bytes keyset_2(void)
{
    struct moult_keyset keyset = statements_keyset(&w->fleet, 2);
    keyset.keys[3] = keyset.keys[STATEMENTS_RELEASE + 1];
    keyset.keys[4] = keyset.keys[STATEMENTS_ASSIGN + 1];
    keyset.key_count = 5;
    keyset.roles.of[MOULT_ROLE_RELEASE] = (struct moult_keyset_role){1, 1, {3}};
    keyset.roles.of[MOULT_ROLE_ASSIGN] = (struct moult_keyset_role){1, 1, {4}};
    return statements_sign(&w->fleet, statements_keyset_payload(&keyset), ROOTS);
}

static bool adopt_keyset_2(void)
{
    hostile_keyset(keyset_2(), 2);
    w->action = MOULT_ACTION_NONE;
    w->order_keys = OTHER_ASSIGN_KEY;
    bool is_there = world_boot(w, MOULT_RESET_POWER_ON) && world_settle(w);
    w->action = MOULT_ACTION_INSTALL;
    w->report_count = 0;
    w->keyset_hint = 0;
    return is_there && w->session.trust.keyset.version == 2;
}

static void sign_with_new_keys(void)
{
    w->order_keys = OTHER_ASSIGN_KEY;
    hostile_sign_release(OTHER_RELEASE_KEY);
}

static void order_by_the_revoked_key(void)
{
    w->order_keys = ASSIGN_KEY;
}

static void release_by_the_revoked_key(void)
{
    w->order_keys = OTHER_ASSIGN_KEY;
    own_release(RELEASE_KEY);
}

static void old_keyset_again(void)
{
    w->keysets[1] = hostile_draw(2) ? keyset_2() : w->fleet.envelope;
    w->keyset_count = 2;
    w->keyset_hint = 3 + hostile_draw(100);
    w->action = MOULT_ACTION_NONE;
    w->order_keys = OTHER_ASSIGN_KEY;
}

static const struct hostile_attack revoked[] = {
    {"order by the revoked key", order_by_the_revoked_key, MOULT_D_ASSIGN_SIG, 0,
     KNOWN_BEFORE, NULL},
    {"release by the revoked key", release_by_the_revoked_key, MOULT_D_RELEASE_SIG, 0,
     KNOWN_BEFORE, NULL},
    {"the old keyset again", old_keyset_again, MOULT_D_KEYSET_VERSION, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 5: old releases --- */

/* The device runs sequence 20 with floor 10; every fuse up to 2 is burnt. */
static bool run_sequence_20(void)
{
    world_image(
        w, &w->old,
        &(struct world_image_options){
            .sequence = 20, .version = "2.0.0", .rollback_floor = 10, .secure_version = 2});
    world_put(w, 0, &w->old);
    return moult_sim_efuse_burn(&w->device.chip, 2) == MOULT_OK;
}

static void offer_signed(uint64_t sequence, uint8_t secure_version)
{
    w->release.sequence = sequence;
    w->release.rollback_floor = 1;
    w->release.components[0].secure_version = secure_version;
    hostile_sign_release(RELEASE_KEY);
}

static void release_below_the_floor(void)
{
    offer_signed(1 + hostile_draw(9), 2);
}

static void release_below_the_fuses(void)
{
    offer_signed(10 + hostile_draw(1000), (uint8_t)hostile_draw(2));
}

static const struct hostile_attack rollback[] = {
    {"release below the floor", release_below_the_floor, MOULT_D_SEQ_FLOOR, 0, KNOWN_BEFORE,
     NULL},
    {"release below the fuses", release_below_the_fuses, MOULT_D_SECVER, 0, KNOWN_BEFORE,
     NULL},
};

/* --- rows 6 and 7: what was said before, or to others --- */

static struct statements_bytes recorded;

static void record(struct statements_bytes *envelope)
{
    recorded = *envelope;
}

/* Recorded while there was nothing to do (or an update to do), and played ever since. */
static bool record_one(enum moult_action action)
{
    w->spoil_envelope = record;
    w->action = action;
    w->answer = MOULT_ANSWER_LATER;
    bool is_there = world_boot(w, MOULT_RESET_POWER_ON) && world_until(w, "ORDER") &&
                    world_until(w, "IDLE");
    w->spoil_envelope = NULL;
    w->answer = MOULT_ANSWER_YES;
    w->action = MOULT_ACTION_INSTALL;
    w->report_count = 0;
    return is_there && recorded.size > 0;
}

static bool record_none(void)
{
    return record_one(MOULT_ACTION_NONE);
}

static bool record_install(void)
{
    return record_one(hostile_draw(2) ? MOULT_ACTION_INSTALL : MOULT_ACTION_ABORT);
}

static void play_recorded(void)
{
    w->raw_order = recorded;
}

static const struct hostile_attack freeze[] = {
    {"the recorded none, for ever", play_recorded, MOULT_D_NONCE, 0, KNOWN_BEFORE, NULL},
};

static void for_another_device(struct world *world, struct moult_assignment *order)
{
    (void)world;
    hostile_bytes(random_digest, sizeof random_digest);
    order->device_id = random_digest;
}

static void order_of_another_device(void)
{
    hostile_order(for_another_device);
}

static void with_another_nonce(struct world *world, struct moult_assignment *order)
{
    (void)world;
    hostile_bytes(random_digest, sizeof random_digest);
    order->nonce = random_digest;
}

static void order_of_another_session(void)
{
    hostile_order(with_another_nonce);
}

static void without_nonce(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->present &= ~(1u << MOULT_ASSIGNMENT_NONCE);
}

static void order_without_nonce(void)
{
    hostile_order(without_nonce);
}

static const struct hostile_attack replay[] = {
    {"a recorded order", play_recorded, MOULT_D_NONCE, 0, KNOWN_BEFORE, NULL},
    {"order of another device", order_of_another_device, MOULT_D_ASSIGN_DEVICE, 0,
     KNOWN_BEFORE, NULL},
    {"order of another session", order_of_another_session, MOULT_D_NONCE, 0, KNOWN_BEFORE,
     NULL},
    {"order without a nonce", order_without_nonce, MOULT_D_NONCE, 0, KNOWN_BEFORE, NULL},
};

/* --- row 8: numbers as high as they go --- */

/* First an order with a counter that nobody can exceed, then any other. */
static void count_to_the_end(struct world *world, struct moult_assignment *order)
{
    order->counter =
        world->checkins <= 1 ? UINT64_MAX : UINT64_MAX - 1 - hostile_draw64() / 2;
    order->iat_s = hostile_draw(2) ? UINT32_MAX : order->iat_s;
}

static void counter_at_the_end(void)
{
    hostile_order(count_to_the_end);
    w->action = MOULT_ACTION_NONE;
}

/* The stolen key is taken out; the one that stays begins at its own numbers. */
static void rotate(void)
{
    hostile_keyset(keyset_2(), 2);
    w->tweak_order = NULL;
    w->order_keys = OTHER_ASSIGN_KEY;
    w->counter = 1;
    hostile_sign_release(OTHER_RELEASE_KEY);
}

static const struct hostile_attack fast_forward[] = {
    {"counter at the end", counter_at_the_end, MOULT_D_COUNTER, 0, KNOWN_BEFORE, NULL},
};

/* --- row 9: parts of different releases --- */

static void serve_another_release(void)
{
    uint8_t named[32];
    memcpy(named, w->release_digest, sizeof named);
    w->release.sequence = 3 + hostile_draw(OWN_SEQUENCE);
    hostile_sign_release(RELEASE_KEY); /* a true one */
    memcpy(w->release_digest, named, sizeof named);
}

static struct world_image another;

static void bytes_of_another(uint8_t *data, uint32_t size, uint32_t place)
{
    memcpy(data, another.data + place, size);
}

static void serve_another_image(void)
{
    world_image(w, &another,
                &(struct world_image_options){.sequence = 3 + hostile_draw(OWN_SEQUENCE),
                                              .version = "1.1.0"});
    hostile_net.spoil = bytes_of_another;
}

/* The author signed an image whose record names another release. */
static void image_of_another_release(void)
{
    world_image(w, &w->new,
                &(struct world_image_options){.sequence = 3 + hostile_draw(OWN_SEQUENCE),
                                              .version = "1.1.0"});
    w->release.components[0].size = w->new.size;
    hostile_sign_release(RELEASE_KEY);
}

static void for_another_component(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->sources[0].component = (uint8_t)(16 + hostile_draw(200));
}

static void source_of_another_component(void)
{
    hostile_order(for_another_component);
}

static const struct hostile_attack mix[] = {
    {"another true release", serve_another_release, MOULT_D_RELEASE_BIND, 0, KNOWN_BEFORE,
     NULL},
    {"another true image", serve_another_image, MOULT_D_XFER_DIGEST, 0, FOUND_LATER, NULL},
    {"record of another release", image_of_another_release, MOULT_D_IMAGE_INFO, 0,
     FOUND_LATER, NULL},
    {"source of another component", source_of_another_component, MOULT_D_NO_SOURCE, 0,
     KNOWN_BEFORE, NULL},
};

/* --- row 10: another device, fleet, class, chip (and row 39: revision) --- */

static uint8_t other_id[16];

static void release_edited(void (*edit)(struct moult_release *release))
{
    hostile_bytes(other_id, sizeof other_id);
    edit(&w->release);
    hostile_sign_release(RELEASE_KEY);
}

static void other_fleet(struct moult_release *release)
{
    release->fleet_id = other_id;
}

static void release_of_another_fleet(void)
{
    release_edited(other_fleet);
}

static void other_class(struct moult_release *release)
{
    release->class_id = other_id;
}

static void release_of_another_class(void)
{
    release_edited(other_class);
}

static void other_chip(struct moult_release *release)
{
    release->components[0].chip_id = (uint16_t)(6 + hostile_draw(1000));
}

static void release_for_another_chip(void)
{
    release_edited(other_chip);
}

static void later_revision(struct moult_release *release)
{
    release->components[0].revision_min = (uint16_t)(5 + hostile_draw(1000));
}

static void release_for_a_later_revision(void)
{
    release_edited(later_revision);
}

static void other_fleet_order(struct world *world, struct moult_assignment *order)
{
    (void)world;
    hostile_bytes(other_id, sizeof other_id);
    order->fleet_id = other_id;
}

static void order_of_another_fleet(void)
{
    hostile_order(other_fleet_order);
}

static void image_for_another_chip(void)
{
    enum { ESP32S3 = 9 };
    world_image(w, &w->new,
                &(struct world_image_options){
                    .sequence = 2, .version = "1.1.0", .chip_id = ESP32S3});
    w->release.components[0].size = w->new.size;
    hostile_sign_release(RELEASE_KEY);
}

static const struct hostile_attack target[] = {
    {"order of another device", order_of_another_device, MOULT_D_ASSIGN_DEVICE, 0,
     KNOWN_BEFORE, NULL},
    {"order of another fleet", order_of_another_fleet, MOULT_D_ASSIGN_FLEET, 0,
     KNOWN_BEFORE, NULL},
    {"release of another fleet", release_of_another_fleet, MOULT_D_RELEASE_FLEET, 0,
     KNOWN_BEFORE, NULL},
    {"release of another class", release_of_another_class, MOULT_D_RELEASE_CLASS, 0,
     KNOWN_BEFORE, NULL},
    {"release for another chip", release_for_another_chip, MOULT_D_CHIP, 0, KNOWN_BEFORE,
     NULL},
    {"release for a later revision", release_for_a_later_revision, MOULT_D_CHIP_REV, 0,
     KNOWN_BEFORE, NULL},
    {"image for another chip", image_for_another_chip, MOULT_D_IMAGE_CHIP, 0, FOUND_LATER,
     NULL},
};

/* --- rows 19 and 20: sizes, formats and places of the result --- */

static void too_large(struct moult_release *release)
{
    release->components[0].size = SIM_SLOT_SIZE + 1 + hostile_draw(1u << 24);
}

static void release_larger_than_the_slot(void)
{
    release_edited(too_large);
}

static const struct hostile_attack oversize[] = {
    {"release larger than the slot", release_larger_than_the_slot, MOULT_D_SLOT_SIZE, 0,
     KNOWN_BEFORE, NULL},
    {"source larger than the release", source_of_another_size, MOULT_D_NO_SOURCE,
     MOULT_D_XFER_SIZE, KNOWN_BEFORE, NULL},
};

static void raw_application(struct moult_release *release)
{
    release->components[0].format = 0;
    release->components[0].chip_id = hostile_draw(2) ? UINT16_MAX : 5;
    release->components[0].secure_version = 0;
}

static void application_as_raw_bytes(void)
{
    release_edited(raw_application);
}

static void labelled(struct moult_release *release)
{
    static const char *const labels[] = {"ota_0", "nvs", "otadata", "factory", "storage"};
    const char *label = labels[hostile_draw(5)];
    release->components[0].label =
        (struct moult_bytes){(const uint8_t *)label, strlen(label)};
    release->components[0].present |= 1u << MOULT_COMPONENT_LABEL;
}

static void application_into_a_partition(void)
{
    release_edited(labelled);
}

static void unknown_component(struct moult_release *release)
{
    release->components[0].id = (uint8_t)(16 + hostile_draw(200));
}

static void component_of_nobody(void)
{
    release_edited(unknown_component);
}

static const struct hostile_attack misread[] = {
    {"an application as raw bytes", application_as_raw_bytes, MOULT_D_COMPONENT, 0,
     KNOWN_BEFORE, NULL},
    {"into a named partition", application_into_a_partition, MOULT_D_PARTITION, 0,
     KNOWN_BEFORE, NULL},
    {"a component of nobody", component_of_nobody, MOULT_D_COMPONENT, 0, KNOWN_BEFORE,
     NULL},
};

/* --- row 24: an order that would override the release --- */

/* No key of the order alters a release; a new one that must be understood is refused. */
static void add_critical_key(struct statements_bytes *payload)
{
    static const char *const values[] = {"00", "43000000", "63616263", "82000a", "a10a00"};
    char path[16];
    snprintf(path, sizeof path, "%u", 16 + hostile_draw(48));
    cbor_edit(payload, path, values[hostile_draw(5)]);
}

static void order_with_a_key_of_its_own(void)
{
    w->spoil_payload = add_critical_key;
}

static void add_critical_source_key(struct statements_bytes *payload)
{
    char path[24];
    snprintf(path, sizeof path, "13.0.%u", 12 + hostile_draw(52));
    cbor_edit(payload, path, "00");
}

static void source_with_a_key_of_its_own(void)
{
    w->spoil_payload = add_critical_source_key;
}

static const struct hostile_attack override[] = {
    {"a key of its own", order_with_a_key_of_its_own, MOULT_D_ASSIGN_UNKNOWN, 0,
     KNOWN_BEFORE, NULL},
    {"a key of its own in a source", source_with_a_key_of_its_own, MOULT_D_ASSIGN_UNKNOWN,
     0, KNOWN_BEFORE, NULL},
    {"another size", source_of_another_size, MOULT_D_NO_SOURCE, MOULT_D_XFER_SIZE,
     KNOWN_BEFORE, NULL},
    {"another digest", source_of_another_digest, MOULT_D_NO_SOURCE, MOULT_D_XFER_DIGEST,
     KNOWN_BEFORE, NULL},
};

static const struct hostile_row rows[] = {
    {1, "arbitrary software from the network", "nothing", HOSTILE_ROW(network)},
    {2, "online server compromised", "assign key", HOSTILE_ROW(server),
     .holds_assign_key = true},
    {3, "one signing key stolen", "assign, one release, one root key", HOSTILE_ROW(one_key),
     .holds_assign_key = true, .release_threshold = 2},
    {4, "revoked key still accepted", "revoked assign and release keys",
     HOSTILE_ROW(revoked), .prepare = adopt_keyset_2, .recover = sign_with_new_keys},
    {5, "rollback", "assign key, old true releases", HOSTILE_ROW(rollback),
     .holds_assign_key = true, .prepare = run_sequence_20},
    {6, "freeze", "the network, old answers", HOSTILE_ROW(freeze), .prepare = record_none},
    {7, "replay of another session's order", "assign key, old answers", HOSTILE_ROW(replay),
     .holds_assign_key = true, .prepare = record_install},
    {8, "fast-forward", "assign key", HOSTILE_ROW(fast_forward), .holds_assign_key = true,
     .recover = rotate},
    {9, "mix-and-match", "assign key, other true releases", HOSTILE_ROW(mix),
     .holds_assign_key = true},
    {10, "wrong device or class", "assign key, releases of others", HOSTILE_ROW(target),
     .holds_assign_key = true},
    {19, "oversize image", "assign key, releases of others", HOSTILE_ROW(oversize),
     .holds_assign_key = true},
    {20, "payload misread", "assign key, releases of others", HOSTILE_ROW(misread),
     .holds_assign_key = true},
    {24, "manifest override", "assign key", HOSTILE_ROW(override),
     .holds_assign_key = true},
};

static void test_each_attack_is_refused_with_its_code_and_leaves_no_mark(void)
{
    check(hostile_play_all(rows, sizeof rows / sizeof rows[0]));
}

int main(void)
{
    check_run(test_each_attack_is_refused_with_its_code_and_leaves_no_mark);
    hostile_end();
    return check_report();
}
