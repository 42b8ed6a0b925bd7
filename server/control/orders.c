/* orders.c - see orders.h. */
#include "server/control/orders.h"
#include <stdio.h>
#include <string.h>
#include "formats/release.h"

#define ARTIFACT_PATH "/device/v1/artifact/"
enum { URL_SIZE = sizeof ARTIFACT_PATH + 64, CONSENT_S = 86400, DEFERRALS_MAX = 3 };

/* The texts and numbers that a struct moult_assignment borrows. */
struct urls {
    char text[STORE_COMPONENTS_MAX][URL_SIZE];
};

static void put_sources(struct moult_assignment *a, const struct store_release *release,
                        struct urls *urls)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct store_component *component = &release->components[i];
        char hex[65];
        moult_hex_encode(component->sha256, 32, hex);
        snprintf(urls->text[i], URL_SIZE, ARTIFACT_PATH "%s", hex);
        a->sources[i] = (struct moult_source){
            .component = component->id,
            .kind = MOULT_SOURCE_FULL,
            .encoding = MOULT_ENCODING_NONE,
            .size = component->size,
            .digest = component->sha256,
            .url = {(const uint8_t *)urls->text[i], strlen(urls->text[i])},
        };
    }
    a->source_count = release->component_count;
    a->present |= 1u << MOULT_ASSIGNMENT_SOURCES;
}

static void put_policy(const struct control *control, const struct order *order,
                       struct moult_policy *policy)
{
    policy->confirm_timeout_s = (uint32_t)(control->config.confirm_ms / 1000);
    policy->present |= 1u << MOULT_POLICY_CONFIRM;
    if (order->stage_only) {
        policy->stage_only = 1;
        policy->present |= 1u << MOULT_POLICY_STAGE_ONLY;
    }
    if (order->lift_block) {
        policy->lift_block = 1;
        policy->present |= 1u << MOULT_POLICY_LIFT_BLOCK;
    }
    if (order->mode == ROLLOUT_OPTIONAL) {
        policy->consent = 1;
        policy->deferrals =
            order->deferrals < DEFERRALS_MAX ? order->deferrals : DEFERRALS_MAX;
        policy->consent_until_s = CONSENT_S;
        policy->present |= 1u << MOULT_POLICY_CONSENT | 1u << MOULT_POLICY_DEFERRALS |
                           1u << MOULT_POLICY_CONSENT_UNTIL;
    }
}

static void put_release(const struct control *control, const struct order *order,
                        struct moult_assignment *a, struct urls *urls)
{
    if (order->deployment) {
        a->deployment_id = order->deployment;
        a->present |= 1u << MOULT_ASSIGNMENT_DEPLOYMENT;
    }
    if (!order->release) { return; }
    a->release_digest = order->release->payload_sha256;
    a->present |= 1u << MOULT_ASSIGNMENT_RELEASE;
    if (order->action != MOULT_ACTION_INSTALL) { return; }
    put_sources(a, order->release, urls);
    put_policy(control, order, &a->policy);
    a->present |= 1u << MOULT_ASSIGNMENT_POLICY;
}

enum moult_status order_write(struct control *control, const struct order *order,
                              struct control_checkin_result *result)
{
    struct urls urls;
    struct moult_assignment a = {
        .present = 1u << MOULT_ASSIGNMENT_NONCE,
        .fleet_id = control->config.fleet_id,
        .device_id = order->device_id,
        .action = (uint8_t)order->action,
        .nonce = order->nonce,
        .counter = order->counter,
        .iat_s = (uint64_t)(order->now_ms / 1000),
        .ttl_s = (uint32_t)(control->config.assignment_ttl_ms / 1000),
        .keyset_version = statement_cache_newest_keyset(&control->statements),
        .newest_sequence = statement_cache_newest_sequence(
            &control->statements, control->config.classes[order->class_index].id),
    };
    if (a.newest_sequence != 0) { a.present |= 1u << MOULT_ASSIGNMENT_NEWEST_SEQUENCE; }
    put_release(control, order, &a, &urls);

    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, result->payload, sizeof result->payload);
    moult_assignment_write(&writer, &a);
    if (writer.status != MOULT_OK) { return writer.status; }
    result->payload_size = writer.size;
    result->is_order = true;

    struct moult_assignment read; /* never send to the signer what no device would read */
    struct moult_bytes payload = {result->payload, result->payload_size};
    return moult_assignment_parse(payload, &read, NULL) == MOULT_OK ? MOULT_OK
                                                                    : MOULT_E_INTERNAL;
}
