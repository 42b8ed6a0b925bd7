/* component.h - what is updated besides the application: filesystem images and the firmware
 * of other MCUs, with the same guarantees.
 *
 * Layer    device, public. Design: docs/design/components.md.
 * Optional a product that never calls moult_component_add() links nothing of this.
 * Memory   one struct moult_data_component per component, owned by the caller and borrowed
 *          as long as the session; about 240 bytes. No heap.
 * Threads  as update.h; callbacks come from the thread that calls moult_step().
 * Power    may be cut at any instruction. New bytes wait in a staging area until the new
 *          application is confirmed. The live component is then wholly old, or known to be
 *          incomplete (moult_component_look()) until the engine has finished it, or wholly
 *          new. It never is a mixture that says READY.
 *
 * Use it   moult_session_init(); moult_component_add() for each thing this build knows;
 *          then step. Before using a component, moult_component_look() must say READY or
 *          WAITING.
 */
#ifndef MOULT_COMPONENT_H
#define MOULT_COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "moult/update.h"

/* A stretch of flash outside the app slots. The promises are those of flash_read, _erase,
 * _write and _is_erased in port.h; none may block longer than one sector erase. */
struct moult_region {
    void *context; /* first argument of the callbacks */
    uint32_t size; /* bytes; a multiple of MOULT_SECTOR_SIZE */
    int32_t (*read)(void *context, uint32_t offset, uint8_t *out, size_t size);
    int32_t (*erase)(void *context, uint32_t offset);
    int32_t (*write)(void *context, uint32_t offset, const uint8_t *data, size_t size);
    int32_t (*is_erased)(void *context, uint32_t offset, size_t size, bool *is_erased);
};

/* Of a peripheral: busy, call again with the same; for at most five minutes. */
#define MOULT_NOT_YET INT32_MIN

/* Another MCU that the application can program. Each callback returns 0, MOULT_NOT_YET, or
 * the platform's error. Programming always begins with begin(), whatever a reset left half
 * done, so each must work from any state the other MCU may be in. */
struct moult_peripheral {
    void *context;
    /* SHA-256 over the `size` bytes that it holds now, read back. An error means: it cannot
     * say; then it is programmed. */
    int32_t (*digest)(void *context, uint32_t size, uint8_t out[32]);
    int32_t (*begin)(void *context, uint32_t size);
    /* At most 4,096 bytes, in order and without a gap. */
    int32_t (*write)(void *context, uint32_t offset, const uint8_t *data, size_t size);
    /* All is written: start it. */
    int32_t (*end)(void *context);
};

struct moult_data_component;

/* What a component is known to be. size 0: nothing is known. */
struct moult_component_bytes {
    uint32_t size;
    uint8_t digest[32];
    uint64_t sequence; /* of the release that it belongs to */
};

/* The engine's; all zero before moult_component_add(). */
struct moult_component_work {
    struct moult_session *session;
    struct moult_data_component *next; /* ascending id */
    struct moult_region tail;          /* the free end of a slot, as a region */
    struct moult_component_bytes staged, live;
    uint8_t slot;        /* app slot that `staged` belongs to */
    uint8_t tries;       /* of the sector, or call, in hand */
    uint8_t rounds;      /* of the whole, written and not right */
    bool is_wanted;      /* the release in hand has it */
    bool is_staged;      /* journalled: `staged` is where it waits, or live already */
    bool is_incomplete;  /* journalled: the live bytes are being replaced */
    bool is_proven;      /* read back in this boot and right */
    bool is_interrupted; /* a reset came while it was incomplete */
    bool is_forced;      /* the sector in hand is erased, whatever it holds */
    bool is_given_up;    /* not to be applied before the next reset */
};

/* One component that this build can update. Exactly one of banks, live and peripheral says
 * where it lives:
 *
 * banks       one region per app slot: ota_N works with banks[N]. New bytes go straight to
 *             the bank of the slot that is written, and old and new change places with the
 *             application. Nothing is copied, and a rollback finds its own data.
 * live        one region. New bytes wait in the staging area and are copied once the new
 *             application is confirmed, which must work with the old ones until then.
 * peripheral  another MCU, programmed from the staging area at the same moment. */
struct moult_data_component {
    uint8_t id;        /* component id of the release: 1, or 3..255 */
    const char *label; /* partition label that the release must name; NULL: it names none */
    const struct moult_region *banks; /* port->slot_count of them */
    const struct moult_region *live;
    const struct moult_peripheral *peripheral;
    /* Where new bytes wait; not with banks. NULL: the end of the app slot that is written,
     * from slot_offset on. It must have room for the largest the component may become. */
    const struct moult_region *staging;
    uint32_t slot_offset; /* bytes; a multiple of MOULT_SECTOR_SIZE */
    void *context;
    /* Asked before the live bytes are touched: unmount, stop using it, then say YES, and
     * keep off until it is READY. LATER (and NO) is asked again every second. NULL: yes. */
    enum moult_answer (*may_apply)(void *context);
    struct moult_component_work work; /* the engine's: leave it zero */
};

enum moult_component_state {
    MOULT_COMPONENT_UNKNOWN,    /* the journal has not been read yet: a few steps more */
    MOULT_COMPONENT_READY,      /* wholly old or wholly new: use it */
    MOULT_COMPONENT_WAITING,    /* as READY; a newer one waits for may_apply */
    MOULT_COMPONENT_INCOMPLETE, /* half replaced: do not use it; the engine goes on */
};

struct moult_component_info {
    enum moult_component_state state;
    uint64_t sequence; /* of the release it came with; 0: not known, never updated */
    uint32_t size;     /* bytes; 0: not known */
};

/* Register a component; before the first step. `component` is borrowed from then on.
 * MOULT_OK; MOULT_E_ARG: id, label, regions or offsets are not as said above;
 * MOULT_E_EXISTS: the id is registered; MOULT_E_SPACE: MOULT_COMPONENTS_MAX are. */
#define MOULT_COMPONENTS_MAX 4u
MOULT_MUST_CHECK enum moult_status
moult_component_add(struct moult_session *session, struct moult_data_component *component);

/* What a registered component is now. */
void moult_component_look(const struct moult_data_component *component,
                          struct moult_component_info *out);

#endif
