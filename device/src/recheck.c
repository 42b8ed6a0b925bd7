/* recheck.c - step 15: both statements once more, from storage, compared by other code than
 * before.
 *
 * What was true while the bytes arrived must be true now, and a single disturbed
 * instruction must not be able to say so. Every comparison is folded into one word that
 * starts as a refusal; only the exact pass word lets the session go on. */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"

/* All ones where the two are equal, zero otherwise; no early exit, no memcmp. */
static uint32_t same(const uint8_t *a, const uint8_t *b, size_t size)
{
    volatile uint32_t difference = 0;
    volatile size_t done = 0;
    for (size_t i = size; i > 0; i--) {
        difference = difference | (uint32_t)(a[i - 1] ^ b[i - 1]);
        done = done + 1;
    }
    return difference == 0 && done == size ? UINT32_MAX : 0;
}

static uint32_t same_number(uint64_t a, uint64_t b)
{
    volatile uint64_t difference = a ^ b;
    return difference == 0 ? UINT32_MAX : 0;
}

/* The release: signatures, then every field of the plan that the author signed. */
static uint32_t recheck_release(struct moult_session *s)
{
    struct moult_release *release = &s->scratch.release;
    const struct moult_plan *plan = &s->plan;
    struct moult_release_expect expect = {&s->trust.keyset, plan->release,
                                          s->running.info.class_id};
    struct moult_bytes envelope;
    if (moult_journal_statement(s, true, &envelope) != MOULT_OK ||
        moult_release_verify(s->port->crypto, envelope, &expect, release, NULL) !=
            MOULT_OK) {
        return 0;
    }
    const struct moult_component *c = moult_release_component(release, plan->component);
    if (!c || release->version.size >= sizeof plan->version) { return 0; }
    uint32_t agree = same(c->digest, plan->digest, 32);
    agree &= same_number(c->size, plan->size);
    agree &= same_number(release->sequence, plan->sequence);
    agree &= same_number(release->rollback_floor, plan->rollback_floor);
    agree &= same_number(c->secure_version, plan->secure_version);
    agree &= same_number(c->chip_id, plan->chip_id);
    agree &= moult_components_agree(s, release);
    agree &=
        same(release->version.data, (const uint8_t *)plan->version, release->version.size);
    return agree;
}

/* The assignment: signed by an assign key in force, for this device, of this release. */
static uint32_t recheck_assignment(struct moult_session *s)
{
    struct moult_assignment *order = &s->scratch.assignment;
    struct moult_bytes envelope;
    struct moult_cose cose;
    const struct moult_crypto *crypto = s->port->crypto;
    if (moult_journal_statement(s, false, &envelope) != MOULT_OK ||
        moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, envelope, &cose, NULL) != MOULT_OK ||
        moult_keyset_count_signatures(crypto, &s->trust.keyset, MOULT_ROLE_ASSIGN, &cose,
                                      NULL) <
            s->trust.keyset.roles.of[MOULT_ROLE_ASSIGN].threshold ||
        moult_assignment_parse(cose.payload, order, NULL) != MOULT_OK ||
        order->action != MOULT_ACTION_INSTALL || !order->release_digest) {
        return 0;
    }
    uint32_t agree = same(order->device_id, s->config.device_id, 16);
    agree &= same(order->fleet_id, s->running.info.fleet_id, 16);
    agree &= same(order->release_digest, s->plan.release, 32);
    return agree;
}

uint32_t moult_recheck(struct moult_session *s)
{
    _Static_assert((MOULT_RECHECK_PASS ^ MOULT_RECHECK_FAIL) == UINT32_MAX, "complements");
    volatile uint32_t verdict = MOULT_RECHECK_FAIL;
    if (!s->trust.is_good || !moult_has_target(s)) { return MOULT_RECHECK_FAIL; }
    uint32_t release = recheck_release(s);
    uint32_t order = recheck_assignment(s);
    /* Reached only with both words full; FAIL is the complement of PASS. */
    verdict = MOULT_RECHECK_FAIL ^ (release & order);
    return verdict;
}
