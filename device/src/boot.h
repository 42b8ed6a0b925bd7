/* boot.h - what a boot means for the plan in hand: a pure decision over a table.
 *
 * Layer    device, private. The table is that of docs/design/device-session.md and of
 *          tests/unit/device/boot_test.c.
 */
#ifndef MOULT_DEVICE_BOOT_H
#define MOULT_DEVICE_BOOT_H

#include "device/src/journal.h"

/* What was found, each as few values as the decision needs. */
struct moult_boot_facts {
    uint8_t stage;       /* enum moult_stage of the plan */
    bool is_target;      /* the plan's slot runs */
    bool is_digest;      /* and holds the plan's result */
    bool is_selected;    /* otadata selects the slot that runs */
    bool selects_target; /* otadata selects the plan's slot */
    bool was_started; /* the target's entry says ABORTED or INVALID: it has been on trial */
    bool was_crash;   /* this reset came from software: panic, watchdog, restart, lock-up */
};

/* Logged and reported: never renumber. */
enum moult_boot_class {
    MOULT_BOOT_PLAIN = 0,  /* nothing was under way, or a transfer to be resumed */
    MOULT_BOOT_TRIAL = 1,  /* the new image, for the first time */
    MOULT_BOOT_AGAIN = 2,  /* the new image once more, undecided (no bootloader rollback) */
    MOULT_BOOT_PASSED = 3, /* the new image, which has passed already: confirm */
    MOULT_BOOT_CONDEMNED = 4,   /* the new image, which has failed already: go back */
    MOULT_BOOT_ROLLED_BACK = 5, /* the old image, as the new one ordered */
    MOULT_BOOT_CRASHED = 6,     /* the old image; the new one crashed */
    MOULT_BOOT_POWER_CUT = 7,   /* the old image; the trial was cut off */
    MOULT_BOOT_LOST = 8, /* the old image; the activation (or a passed verdict) was lost */
    MOULT_BOOT_REFUSED = 9,   /* the old image; the bootloader did not accept the new one */
    MOULT_BOOT_FALLBACK = 10, /* the new image, but otadata selects another slot */
    MOULT_BOOT_FOREIGN = 11,  /* something else is in the plan's slot and runs */
};

enum moult_boot_class moult_boot_classify(const struct moult_boot_facts *facts);

/* Whether a reset of this kind (enum moult_reset) is the firmware's own doing. */
bool moult_reset_is_crash(uint8_t reset);

#endif
