/* component_world.h - an update world with data partitions and another MCU.
 *
 * Use it   static struct component_world cw; component_world_make(&cw); change any field of
 *          it or of cw.w; component_world_boot(&cw); component_world_settle(&cw); look;
 *          component_world_free(&cw).
 *
 * Three components: "www" (1), one live partition with a staging partition; "assets" (3), a
 * bank per slot; "motor" (16), an MCU that is programmed from the end of a slot. Version 1
 * of each came with release 1. The partitions are a flash of their own; power cuts count
 * its operations and the chip's as one series.
 */
#ifndef MOULT_TESTS_SUPPORT_COMPONENT_WORLD_H
#define MOULT_TESTS_SUPPORT_COMPONENT_WORLD_H

#include "moult/component.h"
#include "tests/support/update_world.h"

enum {
    CW_WWW = 0,
    CW_ASSETS = 1,
    CW_MOTOR = 2,
    CW_COMPONENTS = 3,
    CW_VERSIONS = 4, /* of each; 0 is not used */
    CW_SECTORS = 12, /* www 3, its staging 3, assets 2 + 2, motor 2 */
    CW_FLASH_SIZE = CW_SECTORS * 4096,
    CW_FILE_MAX = 3 * 4096,
};

struct cw_file {
    uint8_t data[CW_FILE_MAX];
    uint32_t size;
};

struct cw_place { /* context of a region */
    struct component_world *cw;
    struct moult_sim_part part;
    struct moult_region raw; /* on the flash, without the cuts */
    uint32_t at, size;
};

struct component_world {
    struct world w; /* the first: the server and the chip know nothing of the rest */
    uint8_t bits[CW_FLASH_SIZE];
    struct moult_sim_storage storage;
    struct moult_sim_flash flash;
    struct moult_sim_plan cut; /* `at` counts both flashes; fault NONE: no cut */
    struct cw_place places[5]; /* www, staging, bank 0, bank 1, motor */
    struct moult_region regions[5];
    struct moult_peripheral motor;
    struct moult_data_component components[CW_COMPONENTS];
    struct cw_file files[CW_COMPONENTS][CW_VERSIONS];
    unsigned set;                /* bit i: component i is registered */
    enum moult_answer may_apply; /* of www */
    unsigned asked;              /* may_apply() */
    unsigned motor_busy;         /* NOT_YET so often at each call */
    unsigned motor_fails;        /* that many calls of write() fail */
    int32_t motor_error;         /* end() says so */
    unsigned motor_begun;        /* calls of begin() */
    unsigned motor_calls;        /* counts NOT_YET */
    unsigned broken;             /* a promise that was broken, by number; 0: none */
};

void component_world_make(struct component_world *cw);
void component_world_free(struct component_world *cw);
void component_world_copy(struct component_world *cw, const struct component_world *fresh);

/* The release of `image` with version `version` of the components in `set`. Then change
 * cw->w.release.components[1..] and world_sign_release(). */
void component_world_offer(struct component_world *cw, const struct world_image *image,
                           unsigned version, unsigned set);

MOULT_MUST_CHECK bool component_world_boot(struct component_world *cw, uint8_t reset);
/* As world_step() and world_settle(); after each step the promises are looked at. */
MOULT_MUST_CHECK bool component_world_step(struct component_world *cw);
MOULT_MUST_CHECK bool component_world_settle(struct component_world *cw);

uint64_t component_world_operations(const struct component_world *cw);

/* Which version the place of a component holds wholly; 0: none of them. Of assets: the bank
 * of that slot. */
unsigned component_world_version(const struct component_world *cw, unsigned component,
                                 unsigned slot);

#endif
