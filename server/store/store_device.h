/* store_device.h - rows of devices and of what is said about them.
 *
 * Layer    server/store. Numbers of states: server/control/checkin.h.
 * Memory   a row read is a copy. Texts handed to a callback live for that call.
 * Threads  as the connection: inside its job.
 */
#ifndef MOULT_SERVER_STORE_STORE_DEVICE_H
#define MOULT_SERVER_STORE_STORE_DEVICE_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "server/store/store.h"

#define STORE_NAME_SIZE 65u    /* name, serial, group: 64 bytes and a NUL */
#define STORE_VERSION_SIZE 32u /* version of a release and a NUL */
#define STORE_ADDRESS_SIZE 46u
#define STORE_MESSAGE_SIZE 121u /* a device's own words and a NUL */
#define STORE_RHYTHM_SIZE 24u

struct store_device {
    int64_t num;
    uint8_t id[16];
    uint8_t spki[32];
    uint8_t class_id[16];
    uint8_t state;
    char name[STORE_NAME_SIZE]; /* empty texts are NULL in the database */
    char serial[STORE_NAME_SIZE];
    char group[STORE_NAME_SIZE];
    bool has_running; /* it has checked in: the next fields mean something */
    uint8_t running_digest[32];
    uint64_t running_sequence;
    uint8_t running_state;
    char running_version[STORE_VERSION_SIZE];
    uint32_t keyset_version;
    uint64_t counter;
    int64_t first_seen_ms;
    int64_t last_seen_ms; /* 0: never */
    char last_address[STORE_ADDRESS_SIZE];
    uint32_t next_s;
    uint8_t rhythm[STORE_RHYTHM_SIZE];
    bool has_facts; /* see store_device_facts() */
    bool has_chip;
    uint16_t chip_id, revision;
    uint8_t secure_version;
    uint16_t fail_reason, fail_detail; /* 0: never failed */
    char fail_text[STORE_MESSAGE_SIZE];
    int64_t fail_ms;
};

/* MOULT_OK; MOULT_E_NOENT; MOULT_E_IO. *out is undefined on failure. */
MOULT_MUST_CHECK enum moult_status store_device_by_num(struct store_db *db, int64_t num,
                                                       struct store_device *out);
MOULT_MUST_CHECK enum moult_status
store_device_by_id(struct store_db *db, const uint8_t id[16], struct store_device *out);
MOULT_MUST_CHECK enum moult_status
store_device_by_spki(struct store_db *db, const uint8_t spki[32], struct store_device *out);
/* As above; MOULT_E_CONFLICT: more than one device has that name or serial. */
MOULT_MUST_CHECK enum moult_status
store_device_by_name(struct store_db *db, const char *name, struct store_device *out);

/* Devices with num > after in order of num: calls `each` until it returns false or `limit`
 * were visited (0: no limit). state 0: all; prefix NULL: all, else start of id (hex), name
 * or serial. */
struct store_device_query {
    int64_t after;
    uint32_t limit;
    uint8_t state;
    const char *prefix;
};
MOULT_MUST_CHECK enum moult_status
store_device_each(struct store_db *db, const struct store_device_query *query,
                  bool (*each)(void *context, const struct store_device *device),
                  void *context);

/* A new row of everything in *device but num, which is set.
 * MOULT_OK; MOULT_E_EXISTS: id or key is there; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_device_insert(struct store_db *db,
                                                       struct store_device *device);

/* Writes these fields of the row `device->num`; the others are left alone. */
MOULT_MUST_CHECK enum moult_status
store_device_save_state(struct store_db *db, const struct store_device *device);
MOULT_MUST_CHECK enum moult_status /* class, name, serial, group */
store_device_save_labels(struct store_db *db, const struct store_device *device);
MOULT_MUST_CHECK enum moult_status /* running_*, keyset_version, class */
store_device_save_running(struct store_db *db, const struct store_device *device);
MOULT_MUST_CHECK enum moult_status /* chip, revision, secure version, version; and facts */
store_device_save_facts(struct store_db *db, const struct store_device *device,
                        const char *facts);
MOULT_MUST_CHECK enum moult_status /* fail_* */
store_device_save_failure(struct store_db *db, const struct store_device *device);

/* Facts of the device's last check-in that had any, as JSON. *size is 0 when there are
 * none. MOULT_OK; MOULT_E_NOENT: no such device; MOULT_E_SPACE: over capacity;
 * MOULT_E_IO. */
#define STORE_FACTS_MAX 4096u
MOULT_MUST_CHECK enum moult_status store_device_facts(struct store_db *db, int64_t num,
                                                      uint8_t *out, size_t capacity,
                                                      size_t *size);

/* What a check-in leaves behind and may be lost by a crash. */
struct store_seen {
    int64_t num;
    int64_t last_seen_ms;
    uint64_t counter;
    uint32_t next_s;
    const uint8_t *rhythm; /* STORE_RHYTHM_SIZE bytes */
    const char *address;
};
MOULT_MUST_CHECK enum moult_status store_device_save_seen(struct store_db *db,
                                                          const struct store_seen *seen);

MOULT_MUST_CHECK enum moult_status store_device_delete(struct store_db *db, int64_t num);

/* What is said about a device, in three separate spaces. */
enum store_space { STORE_ATTR = 1, STORE_META = 2, STORE_TAG = 3 };

/* value NULL: removes it. */
MOULT_MUST_CHECK enum moult_status store_attribute_set(struct store_db *db, int64_t device,
                                                       enum store_space space,
                                                       const char *name, const char *value,
                                                       int64_t now_ms);
/* All of a device, ordered by space and name. */
MOULT_MUST_CHECK enum moult_status
store_attribute_each(struct store_db *db, int64_t device,
                     bool (*each)(void *context, enum store_space space, const char *name,
                                  const char *value),
                     void *context);
/* Forgets what the device itself said (before its new facts are stored). */
MOULT_MUST_CHECK enum moult_status
store_attribute_clear(struct store_db *db, int64_t device, enum store_space space);

/* App slots as devices of a class have reported them; rejected and retired ones are left
 * out. Reads the facts of every device of the class: for a reader. */
struct store_slots {
    uint32_t told;      /* devices that have said */
    uint32_t too_small; /* of them with less than `size` bytes */
    int64_t smallest;   /* bytes; 0: nobody has said */
};
MOULT_MUST_CHECK enum moult_status store_device_slots(struct store_db *db,
                                                      const uint8_t class_id[16],
                                                      int64_t size,
                                                      struct store_slots *out);

#endif
