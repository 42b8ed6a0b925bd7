/* retry.c - see retry.h. */
#include <assert.h>
#include <stddef.h>
#include "formats/codes.h"
#include "server/rollout/retry.h"

#define NO_RETRY 0
#define AS_CLASS UINT8_MAX /* as often as the class allows */

/* Attempts after the first one that one assignment may make, by class of failure. Policy
 * refusals (in use, no data budget) cost the fleet nothing, but must end some day. */
static const uint8_t class_retries[FAILURE_CLASS_COUNT] = {
    [FAILURE_TRANSPORT] = 7, [FAILURE_DEVICE] = 2, [FAILURE_AUTHENTICITY] = 1,
    [FAILURE_FIRMWARE] = 1,  [FAILURE_POLICY] = 7, [FAILURE_SERVER] = 0,
};

/* Reasons that do not follow their class: how often in a row, and how many times the
 * configured base (60 s) the first wait is. */
static const struct advice {
    uint16_t reason;
    uint8_t retries;
    uint8_t wait_factor;
} advices[] = {
    {MOULT_R_PRE_BUSY, AS_CLASS, 15},
    {MOULT_R_PRE_BATTERY_LOW, AS_CLASS, 60},
    {MOULT_R_PRE_USER_DECLINED, NO_RETRY, 1},
    {MOULT_R_PRE_HW_MISMATCH, NO_RETRY, 1},
    {MOULT_R_PRE_PRODUCT_MISMATCH, NO_RETRY, 1},
    {MOULT_R_PRE_NO_SPACE, NO_RETRY, 1},
    {MOULT_R_PRE_DEPENDENCY, NO_RETRY, 1},
    {MOULT_R_PRE_POISONED, NO_RETRY, 1},
    {MOULT_R_META_SIGNATURE, NO_RETRY, 1},
    {MOULT_R_META_EXPIRED, 1, 1},
    {MOULT_R_META_REPLAY, NO_RETRY, 1},
    {MOULT_R_META_FLOOR, NO_RETRY, 1},
    {MOULT_R_META_MALFORMED, NO_RETRY, 1},
    {MOULT_R_META_KEYSET, 1, 1},
    {MOULT_R_META_WRONG_DEVICE, NO_RETRY, 1},
    {MOULT_R_NET_TLS_CERT, 1, 1},
    {MOULT_R_HTTP_RANGE_IGNORED, 1, 1},
    {MOULT_R_HTTP_LENGTH, NO_RETRY, 1},
    {MOULT_R_DEC_MEMORY, 1, 1},
    {MOULT_R_DEC_DECRYPT, NO_RETRY, 1},
    {MOULT_R_DEC_OVERRUN, NO_RETRY, 1},
    {MOULT_R_FLASH_ERASE, 2, 1},
    {MOULT_R_FLASH_WRITE, 2, 1},
    {MOULT_R_FLASH_READBACK, 2, 1},
    {MOULT_R_FLASH_PROTECTED, NO_RETRY, 1},
    {MOULT_R_POWER_LOSS, AS_CLASS, 60},
    {MOULT_R_JOURNAL_FULL, NO_RETRY, 1},
    {MOULT_R_IMG_DIGEST, 1, 1},
    {MOULT_R_IMG_HEADER, NO_RETRY, 1},
    {MOULT_R_IMG_SECURE_BOOT, NO_RETRY, 1},
    {MOULT_R_IMG_FLOOR, NO_RETRY, 1},
    {MOULT_R_BOOT_SET_FAILED, 2, 1},
    {MOULT_R_BOOT_REFUSED, NO_RETRY, 1},
    {MOULT_R_TRIAL_BROWNOUT, AS_CLASS, 60},
    {MOULT_R_TRIAL_SELFTEST, NO_RETRY, 1},
    {MOULT_R_TRIAL_CRASH_LOOP, NO_RETRY, 1},
    {MOULT_R_TRIAL_HEALTH, NO_RETRY, 1},
    {MOULT_R_TRIAL_MANUAL, NO_RETRY, 1},
    {MOULT_R_CONFIRM_FAILED, 1, 1},
    {MOULT_R_SRV_SILENT, NO_RETRY, 1},
    {MOULT_R_SRV_VERSION_MISMATCH, NO_RETRY, 1},
    {MOULT_R_SRV_UPDATE_LOOP, NO_RETRY, 1},
};

enum failure_class failure_class_of(uint16_t reason)
{
    switch (moult_reason_class(reason)) {
    case 'T':
        return FAILURE_TRANSPORT;
    case 'D':
        return FAILURE_DEVICE;
    case 'A':
        return FAILURE_AUTHENTICITY;
    case 'P':
        return FAILURE_POLICY;
    case 'S':
        return FAILURE_SERVER;
    default:
        return FAILURE_FIRMWARE; /* also what nobody knows: the careful choice */
    }
}

const char *failure_class_name(enum failure_class class)
{
    static const char *const names[FAILURE_CLASS_COUNT] = {
        "transport", "device", "authenticity", "firmware", "policy", "server",
    };
    return (unsigned)class < FAILURE_CLASS_COUNT ? names[class] : "?";
}

static const struct advice *advice_of(uint16_t reason)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].reason == reason) { return &advices[i]; }
    }
    return NULL;
}

/* first, doubled for every try after the first, at most cap, -50 %..+50 %. */
static int64_t backoff_ms(int64_t first_ms, unsigned tries, int64_t cap_ms, uint32_t jitter)
{
    int64_t wait_ms = first_ms;
    for (unsigned i = 1; i < tries && wait_ms < cap_ms; i++) {
        wait_ms *= 2;
    }
    if (wait_ms > cap_ms) { wait_ms = cap_ms; }
    return wait_ms / 2 + (int64_t)(jitter % 1001u) * wait_ms / 1000;
}

bool retry_allowed(uint16_t reason, const struct retry_tries *tries,
                   const struct retry_limits *limits, uint32_t jitter, int64_t *wait_ms)
{
    assert(limits->base_ms > 0 && limits->cap_ms >= limits->base_ms);
    enum failure_class class = failure_class_of(reason);
    const struct advice *advice = advice_of(reason);
    if (tries->by_class[class] > class_retries[class]) { return false; }
    if (advice && advice->retries != AS_CLASS && tries->same_reason > advice->retries) {
        return false;
    }
    int64_t first_ms = limits->base_ms * (advice ? advice->wait_factor : 1);
    *wait_ms = backoff_ms(first_ms, tries->same_reason, limits->cap_ms, jitter);
    return true;
}
