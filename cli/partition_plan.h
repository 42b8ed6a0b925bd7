/* partition_plan.h - a partition table that gives the app slots all the flash it can.
 *
 * Layer    cli: pure, no I/O.
 * Memory   struct partition_plan 3.5 KB, the caller's.
 * Use it   fill in a wish, partition_plan_make(), then look at `plan.table`: it passes
 *          every rule of moult_partition_check() that its inputs allow.
 *
 * Slots are equal, multiples of 64 KB, as many as wished, and as large as what is left.
 * With an old table, everything of it but the slots stays where it is, unless it is given
 * up; and ota_0 begins where it did when that leaves slots that are large enough.
 */
#ifndef MOULT_CLI_PARTITION_PLAN_H
#define MOULT_CLI_PARTITION_PLAN_H

#include "formats/partition_table.h"

#define PLAN_PARTS_MAX 16u
#define PLAN_SLOT_UNIT 0x10000u       /* offset and size of app slots */
#define PLAN_SLOT_SIZE_MAX 0x1000000u /* the largest app partition ESP-IDF boots */

/* A partition that the table must have besides the slots. */
struct plan_part {
    const char *label; /* 1..15 characters */
    uint8_t type, subtype;
    uint32_t size; /* bytes; rounded up to 4 KB */
    bool is_low;   /* as low as possible, in the order given: nvs, otadata, phy_init */
};

struct partition_wish {
    uint32_t flash_size;                     /* bytes, a multiple of 64 KB */
    uint32_t table_offset;                   /* normally MOULT_PARTITION_TABLE_OFFSET */
    uint32_t slot_count;                     /* 2..16 */
    uint32_t slot_least;                     /* bytes each slot must have */
    const struct moult_partition_table *old; /* borrowed; NULL: a new product */
    const char *const *given_up;             /* labels of old rows not to keep */
    uint32_t given_up_count;
    struct plan_part parts[PLAN_PARTS_MAX]; /* skipped where a row that is kept is the same
                                               kind, has the label and is large enough */
    uint32_t part_count;
};

struct partition_plan {
    struct moult_partition_table table; /* ascending by offset */
    uint32_t slot_size;  /* of each; after MOULT_E_SPACE: the largest possible, 0: none */
    uint32_t kept_count; /* rows of the old table that are where they were */
    bool keeps_ota_0;    /* it begins where it did */
    bool keeps_all;      /* and no row of the old table but slots has gone or moved */
};

/* MOULT_OK; MOULT_E_SPACE: slots would be smaller than slot_least, or a part has no place
 * (plan->slot_size 0); MOULT_E_RANGE: flash size, slot count, sizes or number of rows;
 * MOULT_E_EXISTS: a part's label is taken by a kept row of another kind, or a smaller
 * one. */
MOULT_MUST_CHECK enum moult_status partition_plan_make(const struct partition_wish *wish,
                                                       struct partition_plan *plan);

#endif
