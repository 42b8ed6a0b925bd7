/* record.h - small records in the key-value store that survive a power cut at any instant.
 *
 * Layer    device, private.
 * Format   docs/design/journal.md: format u8 1, kind u8, payload length u16, generation
 *          u32, payload, CRC-32 of all before. Stored on flash: never renumber.
 * Power    each kind has two banks, written alternately: a cut while one is written leaves
 *          the other. A record is read back before it counts.
 * Use it   build the payload at frame + MOULT_RECORD_HEADER, moult_record_store(); or
 *          moult_record_load() and read it there.
 */
#ifndef MOULT_DEVICE_RECORD_H
#define MOULT_DEVICE_RECORD_H

#include "moult/session.h"

enum moult_record {
    MOULT_RECORD_PLAN = 0,
    MOULT_RECORD_MARK = 1,
    MOULT_RECORD_FLOOR = 2,
    MOULT_RECORD_ORDERS = 3,
    MOULT_RECORD_BLOCKS = 4,
    MOULT_RECORD_KEYSET = 5,
    MOULT_RECORD_PARTS = 6, /* data components */
    MOULT_RECORD_ROUTE = 7, /* endpoint lists */
    MOULT_RECORD_DEFERRAL = 8,
    /* one bank only: written anew each time, re-made when torn */
    MOULT_RECORD_ASSIGNMENT = 16,
    MOULT_RECORD_RELEASE = 17,
    MOULT_RECORD_ENDPOINTS_0 = 18,
    MOULT_RECORD_ENDPOINTS_1 = 19,
    MOULT_RECORD_REPORT = 32, /* and up: one per outbox entry */
};
_Static_assert(MOULT_RECORD_DEFERRAL + 1 == MOULT_RECORD_COUNT, "one generation per kind");

/* A frame with its room: header, payload, trailer. */
struct moult_frame {
    uint8_t *data;
    size_t capacity;
};

/* Writes payload_size bytes that stand at frame.data + MOULT_RECORD_HEADER into the older
 * bank, then reads them back. The payload is the same afterwards on success.
 *
 * MOULT_OK; MOULT_E_IO: refused or reads back otherwise (session->trouble.native is set);
 * the newer bank still holds the previous record. */
MOULT_MUST_CHECK enum moult_status moult_record_store(struct moult_session *s,
                                                      enum moult_record kind,
                                                      struct moult_frame frame,
                                                      size_t payload_size);

/* The newest good bank into frame.
 *
 * size        bytes of payload at frame.data + MOULT_RECORD_HEADER; 0 on failure.
 * is_damaged  a bank was there but not good: what is returned may be older than what was
 *             stored last. Such a bank is erased.
 *
 * MOULT_OK; MOULT_E_NOENT: no good bank; MOULT_E_IO: the store cannot be read. */
MOULT_MUST_CHECK enum moult_status moult_record_load(struct moult_session *s,
                                                     enum moult_record kind,
                                                     struct moult_frame frame, size_t *size,
                                                     bool *is_damaged);

/* The other, older bank of a two-bank record. Returns as load. */
MOULT_MUST_CHECK enum moult_status moult_record_load_older(struct moult_session *s,
                                                           enum moult_record kind,
                                                           struct moult_frame frame,
                                                           size_t *size);

/* A record of one bank gone. (Of two, store one that says nothing: a cut between two erases
 * would bring the older back.) MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_record_erase(struct moult_session *s,
                                                      enum moult_record kind);

/* The session's buffer for small records, and its work buffer for large ones. */
struct moult_frame moult_small_frame(struct moult_session *s);
struct moult_frame moult_work_frame(struct moult_session *s);

/* Where to build or read the payload of a small record. */
struct moult_pack;
struct moult_pack moult_record_pack(struct moult_frame frame, size_t size);

#endif
