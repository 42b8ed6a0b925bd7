/* cohort.h - which device belongs to which phase of a rollout.
 *
 * Layer    server/rollout: pure. SHA-256 comes in as a callback.
 * Format   docs/spec/rollout.md: another implementation computes the same cohorts.
 * Memory   the caller's arrays; sorted in place, nothing allocated.
 * Use it   cohort_member_init() per device, then cohort_plan() once. Preview and saved
 *          phases both come from cohort_plan(). A device that joins later:
 *          cohort_phase_of().
 */
#ifndef MOULT_SERVER_ROLLOUT_COHORT_H
#define MOULT_SERVER_ROLLOUT_COHORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/crypto.h"
#include "formats/status.h"
#include "server/rollout/rollout_limits.h"

#define COHORT_SALT_SIZE 16u
#define COHORT_ID_SIZE 16u /* bytes of a device id */
#define COHORT_BUCKETS 1000000u
#define COHORT_BP_ALL 10000u /* 100 % in hundredths of a percent */
#define COHORT_NO_PHASE 0xffu

enum cohort_kind {
    COHORT_PERCENT = 1, /* of the target, cumulative; stored, never renumber */
    COHORT_COUNT = 2,   /* devices, cumulative */
    COHORT_REST = 3,    /* everybody not yet in a phase */
};

struct cohort_rule {
    enum cohort_kind kind;
    uint32_t value; /* PERCENT: hundredths of a percent, 1..10000; COUNT: devices >= 1 */
    uint32_t min_devices; /* PERCENT: a phase with fewer of its own is filled up to this */
};

struct cohort_member {
    uint64_t order;             /* first 8 bytes of the hash, big-endian */
    uint8_t id[COHORT_ID_SIZE]; /* device id; decides between equal orders */
    uint32_t tag;               /* the caller's: which device this is */
    bool is_eligible;           /* may be counted in or fill up a phase that is not REST */
    uint8_t phase;              /* set by cohort_plan() */
};

/* SHA-256("moult-cohort-1" || salt || device id), first 8 bytes as a big-endian number.
 * MOULT_OK; MOULT_E_INTERNAL: the hash failed, *order is 0. */
MOULT_MUST_CHECK enum moult_status cohort_order(const struct moult_crypto *crypto,
                                                const uint8_t salt[COHORT_SALT_SIZE],
                                                const uint8_t id[COHORT_ID_SIZE],
                                                uint64_t *order);

/* Bucket of a device, 0..999999: be32 of the hash times a million, upper 32 bits. */
uint32_t cohort_bucket(uint64_t order);

/* Fills in order and id; is_eligible true, phase COHORT_NO_PHASE. Returns as
 * cohort_order(). */
MOULT_MUST_CHECK enum moult_status cohort_member_init(struct cohort_member *member,
                                                      const struct moult_crypto *crypto,
                                                      const uint8_t salt[COHORT_SALT_SIZE],
                                                      const uint8_t id[COHORT_ID_SIZE]);

/* What is wrong with a list of rules; words for the operator. */
enum cohort_fault {
    COHORT_FINE,
    COHORT_FAULT_COUNT, /* no phase, or more than ROLLOUT_PHASES_MAX */
    COHORT_FAULT_KIND,  /* not one of enum cohort_kind */
    COHORT_FAULT_VALUE, /* percent not 0.01..100, count 0 or over ROLLOUT_DEVICES_MAX */
    COHORT_FAULT_NOT_RISING, /* percents, or counts, must rise from phase to phase */
    COHORT_FAULT_AFTER_ALL,  /* a phase behind REST or 100 % */
    COHORT_FAULT_LAST,       /* the last phase must be REST or 100 % */
};

/* COHORT_FINE, or the first fault, with *index its phase. */
enum cohort_fault cohort_check(const struct cohort_rule *rules, size_t rule_count,
                               size_t *index);
/* "percent from 0.01 to 100"; what was expected, static. */
const char *cohort_fault_words(enum cohort_fault fault);

/* Sorts members by (order, id) and gives each its phase. rules must be COHORT_FINE.
 *
 * A percent phase takes every member not yet taken whose bucket is below percent * 10000,
 * then is filled up to min_devices in order; a count phase takes eligible members in order
 * until as many are taken in all; the rest takes everybody. So the phases' unions are
 * supersets of each other. sizes[i] (may be NULL) is the number of members in phase i. */
void cohort_plan(const struct cohort_rule *rules, size_t rule_count,
                 struct cohort_member *members, size_t member_count, uint32_t *sizes);

/* The phase of one device that joins after planning: the first percent whose bucket range
 * holds it, else the last phase. Counts and fill-ups are full by then. */
uint8_t cohort_phase_of(const struct cohort_rule *rules, size_t rule_count, uint64_t order);

#endif
