/* component_io.h - what the files of the components share: which one is in hand, its
 * regions, its journal record, and copying one region to another.
 *
 * Layer    device, private to component*.c.
 */
#ifndef MOULT_DEVICE_COMPONENT_IO_H
#define MOULT_DEVICE_COMPONENT_IO_H

#include "device/src/component.h"

enum { MOULT_COPY_TRIES_MAX = 3 }; /* erase and program of one sector; and of the whole */

/* NULL: not registered. */
struct moult_data_component *moult_component_find(const struct moult_session *s,
                                                  uint8_t id);

/* Where the bytes for its slot wait: a bank, the staging area, or the end of the slot. */
const struct moult_region *moult_component_staging(const struct moult_data_component *c);

/* The bank of the running slot, or the live region; NULL: a peripheral, or no such bank. */
const struct moult_region *moult_component_live(const struct moult_data_component *c);

/* Erase a sector, or program whole write units of one; read back. s->trouble.native is set.
 * MOULT_OK; MOULT_E_IO; MOULT_E_DIGEST: reads back otherwise. */
MOULT_MUST_CHECK enum moult_status moult_region_erase(struct moult_session *s,
                                                      const struct moult_region *region,
                                                      uint32_t offset);
MOULT_MUST_CHECK enum moult_status moult_region_program(struct moult_session *s,
                                                        const struct moult_region *region,
                                                        uint32_t offset,
                                                        struct moult_bytes data);

/* Journal all components. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_component_store(struct moult_session *s);

/* Whether a peripheral said NOT_YET and may go on so: then the step waits. Since
 * transfer.request_ms, at most five minutes; a longer NOT_YET is a failure. */
bool moult_component_waits(struct moult_session *s, int32_t native);

/* Hash the next <= 4 KB of [transfer.offset, size) of a region. After the last: whether it
 * is what `bytes` says. Begin with moult_hash_begin() and transfer.offset 0. */
enum moult_hashing { MOULT_HASHING, MOULT_HASH_RIGHT, MOULT_HASH_WRONG };
enum moult_hashing moult_component_hash(struct moult_session *s,
                                        const struct moult_region *region,
                                        const struct moult_component_bytes *bytes);

/* One step of making the sector of `to` at transfer.offset hold the same as `from`: nothing
 * when it does, else an erase, or a program that is read back. Behind `size` it is erased.
 * MOULT_OK: it does, go on with the next; MOULT_E_BUSY: call again; MOULT_E_IO: it cannot
 * be done, s->trouble says why. Uses work, and c->work.tries. */
struct moult_copy {
    const struct moult_region *from, *to;
    uint32_t size; /* bytes of it */
};
MOULT_MUST_CHECK enum moult_status moult_component_copy(struct moult_session *s,
                                                        struct moult_data_component *c,
                                                        const struct moult_copy *copy);

enum moult_state moult_component_stage(struct moult_session *s);
enum moult_state moult_component_apply(struct moult_session *s);
bool moult_component_is_due(const struct moult_session *s);

#endif
