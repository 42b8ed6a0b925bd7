/* port.h - what a platform supplies to the update engine: one const struct of callbacks.
 *
 * Layer    device, public. Implemented in ports/; checklist and promises in
 *          docs/PORTING.md.
 * Memory   every pointer given to a callback is borrowed for the call, unless it says
 *          otherwise.
 * Threads  all callbacks come from the thread that calls moult_step(); none may call back
 *          into the session. None may block for longer than one flash sector erase.
 * Power    a cut may come before, inside or after every callback that writes. The engine
 *          expects of flash what NOR does, and of the key-value store that a cut set
 *          leaves the old blob, the new blob, nothing, or garbage under that one key:
 *          never harm to another key.
 *
 * Results  int32_t: 0 is done; anything else is the platform's own error number (an
 * esp_err_t, an errno), which travels in reports as "native error" and is never
 * interpreted.
 */
#ifndef MOULT_PORT_H
#define MOULT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/crypto.h"
#include "formats/reader.h"

#define MOULT_SECTOR_SIZE 4096u /* bytes erased at a time, on every supported chip */
#define MOULT_WRITE_UNIT                                                                   \
    32u /* offset and size of every flash_write are multiples of this */
#define MOULT_SLOT_NONE                                                                    \
    0xffu                    /* "no app slot": factory or test app, or nothing selected   \
                               */
#define MOULT_KV_KEY_MAX 15u /* characters of a key, NUL not counted (NVS) */
#define MOULT_KV_BLOB_MAX                                                                  \
    2176u /* bytes of the largest blob: a keyset bank (2,048) and its frame */
#define MOULT_ETAG_MAX 72u /* bytes of a strong ETag with its quotes and a NUL */

/* State of an otadata entry; 0..4 as on flash (docs/spec/otadata.md). */
enum moult_slot_state {
    MOULT_SLOT_NEW = 0,     /* boot slot set, never started */
    MOULT_SLOT_PENDING = 1, /* on trial: the next reset without mark_valid reverts it */
    MOULT_SLOT_VALID = 2,   /* confirmed */
    MOULT_SLOT_INVALID = 3, /* gave itself up */
    MOULT_SLOT_ABORTED = 4, /* was reset while on trial */
    MOULT_SLOT_UNDEFINED =
        5, /* 0xffffffff: a bootloader without rollback, or any other number */
    MOULT_SLOT_NO_ENTRY = 6, /* no readable entry names this slot */
};

/* Why the chip started, in the numbers of esp_reset_reason_t. Others are passed on as they
 * are. */
enum moult_reset {
    MOULT_RESET_UNKNOWN = 0,
    MOULT_RESET_POWER_ON = 1,
    MOULT_RESET_PIN = 2,
    MOULT_RESET_SOFTWARE = 3,
    MOULT_RESET_PANIC = 4,
    MOULT_RESET_INT_WATCHDOG = 5,
    MOULT_RESET_TASK_WATCHDOG = 6,
    MOULT_RESET_WATCHDOG = 7,
    MOULT_RESET_DEEP_SLEEP = 8,
    MOULT_RESET_BROWNOUT = 9,
    MOULT_RESET_SDIO = 10,
    MOULT_RESET_USB = 11,
    MOULT_RESET_JTAG = 12,
    MOULT_RESET_EFUSE = 13,
    MOULT_RESET_POWER_GLITCH = 14,
    MOULT_RESET_CPU_LOCKUP = 15,
};

struct moult_boot_info {
    uint8_t running; /* app slot that runs, 0..slot_count-1, or MOULT_SLOT_NONE (factory) */
    uint8_t selected; /* app slot that otadata selects now, or MOULT_SLOT_NONE; may differ
                         from running when the bootloader fell back */
    uint8_t
        state; /* enum moult_slot_state of the entry that selects; NO_ENTRY if none does */
    uint8_t reset; /* enum moult_reset of this boot */
};

enum moult_http_method { MOULT_HTTP_GET, MOULT_HTTP_POST };

/* One request. The struct is copied by http_start; the strings and the body stay borrowed
 * until HEADERS, FAILED or http_cancel. */
struct moult_http_request {
    enum moult_http_method method;
    const char *base; /* "https://host[:port][/prefix]" to be followed by path, or NULL when
                         path is an absolute https:// URL */
    const char *path; /* "/device/v1/...", NUL-terminated, at most 192 bytes */
    const char *content_type; /* of body; NULL without body */
    struct {
        const uint8_t *data; /* NULL without body */
        size_t size;         /* at most 4,096 bytes */
    } body;
    bool has_range;       /* send "Range: bytes=from-to" */
    uint32_t range_from;  /* first byte wanted */
    uint32_t range_to;    /* last byte wanted, inclusive */
    const char *if_range; /* strong ETag with quotes for If-Range, or NULL */
    uint32_t timeout_ms;  /* give up when nothing moved for so long; from configuration */
};

/* The reply's head, filled in at HEADERS. */
struct moult_http_reply {
    uint16_t status; /* 200, 206, ... The port follows no redirect: 3xx come as they are */
    bool has_length; /* Content-Length was given */
    uint32_t length; /* bytes of this body; a larger one than fits is a FAILED/PROTOCOL */
    bool has_range;  /* a well-formed Content-Range: bytes from-to/total was given */
    uint32_t range_from;       /* first byte of this body in the whole */
    uint32_t range_to;         /* last byte, inclusive */
    uint32_t range_total;      /* bytes of the whole; 0 for "*" */
    char etag[MOULT_ETAG_MAX]; /* strong ETag with quotes; "" when absent, weak or too long
                                */
    uint32_t retry_after_s;    /* Retry-After in seconds; 0 when absent or a date */
};

enum moult_http_event {
    MOULT_HTTP_NOT_YET, /* nothing new; call again later */
    MOULT_HTTP_HEADERS, /* reply is filled in; comes once, before any BODY */
    MOULT_HTTP_BODY,    /* size bytes of body are in the buffer, 1..capacity */
    MOULT_HTTP_END,     /* the body is complete; the request is over */
    MOULT_HTTP_FAILED,  /* failure says why; the request is over */
};

enum moult_net_failure {
    MOULT_NET_DNS,      /* name not resolved */
    MOULT_NET_CONNECT,  /* refused or unreachable */
    MOULT_NET_TLS,      /* handshake failed */
    MOULT_NET_CERT,     /* peer's certificate refused */
    MOULT_NET_STALL,    /* nothing moved for timeout_ms */
    MOULT_NET_RESET,    /* connection lost before the body's end */
    MOULT_NET_PROTOCOL, /* not HTTP, or broken HTTP */
};

struct moult_http_failure {
    enum moult_net_failure kind;
    int32_t native; /* the platform's error number */
};

enum moult_log_level { MOULT_LOG_ERROR, MOULT_LOG_WARN, MOULT_LOG_INFO, MOULT_LOG_DEBUG };

/* A platform. Constant while the session lives; callbacks are never NULL unless marked
 * optional. */
struct moult_port {
    void *context; /* first argument of every callback; borrowed as long as the session
                      lives */

    /* --- App slots (ota_0, ota_1, ...). Addressed by slot index and offset within the
     * slot. ------ The engine never erases or writes the running slot; a port must refuse
     * it as well. */
    uint32_t slot_count; /* number of ota_N partitions, contiguous from ota_0; 2..16 */
    uint32_t slot_size;  /* bytes of each; equal for all; a multiple of MOULT_SECTOR_SIZE */

    /* Plain bytes (decrypted where flash encryption is on), any alignment, size 1..4,096.
     */
    int32_t (*flash_read)(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                          size_t size);
    /* One sector to erased; offset is a multiple of MOULT_SECTOR_SIZE. */
    int32_t (*flash_erase)(void *context, uint32_t slot, uint32_t offset);
    /* Into erased flash; offset and size are multiples of MOULT_WRITE_UNIT, within one
     * sector. */
    int32_t (*flash_write)(void *context, uint32_t slot, uint32_t offset,
                           const uint8_t *data, size_t size);
    /* Whether size bytes (a multiple of MOULT_WRITE_UNIT) are erased. Where flash
     * encryption is on this must look at the raw bytes, since erased flash decrypts to
     * noise. */
    int32_t (*flash_is_erased)(void *context, uint32_t slot, uint32_t offset, size_t size,
                               bool *is_erased);

    /* Plain bytes of the image that runs, wherever it runs from, as flash_read. Optional:
     * NULL means flash_read of the running slot; a factory app cannot be updated then. */
    int32_t (*running_read)(void *context, uint32_t offset, uint8_t *out, size_t size);

    /* --- Boot control: what ESP-IDF's app_update offers, nothing more. --- */
    int32_t (*boot_info)(void *context, struct moult_boot_info *out);
    /* State of the first readable otadata entry that names this slot
     * (esp_ota_get_state_partition). */
    int32_t (*slot_state)(void *context, uint32_t slot, enum moult_slot_state *out);
    /* Select this slot for the next boot, as NEW (esp_ota_set_boot_partition, which
     * verifies the image again). */
    int32_t (*set_boot)(void *context, uint32_t slot);
    /* The selected entry becomes VALID (esp_ota_mark_app_valid_cancel_rollback). */
    int32_t (*mark_valid)(void *context);
    /* The selected entry becomes INVALID, then reboot
     * (esp_ota_mark_app_invalid_rollback_and_reboot). Returns on failure; may also return 0
     * when the reboot happens a little later. */
    int32_t (*mark_invalid_and_reboot)(void *context);
    /* May return; the engine then does nothing any more (MOULT_STEP_REBOOT). */
    void (*reboot)(void *context);
    /* Number of secure_version bits burnt. Optional: NULL means no anti-rollback, 0. */
    uint32_t (*secure_version)(void *context);
    /* Burn secure_version up to this: the image that has it was confirmed just now.
     * Harmless when it is burnt. Optional: NULL means the product does not raise it. */
    int32_t (*raise_secure_version)(void *context, uint32_t version);
    /* Whether this chip's Secure Boot V2 would start the image that `image` reads: what
     * moult_sb_trusts says of its eFuses, without the hashing, which the engine has done
     * in steps. Asked before the boot slot is set. Optional: NULL means no Secure Boot.
     *
     * sector   offset of the signature sector; 0: the image has none.
     * digest   SHA-256 of the bytes before it.
     *
     * MOULT_OK, also where Secure Boot is not enabled; MOULT_E_UNSUPPORTED: key and digest
     * are right and set_boot verifies the signature; MOULT_E_REFUSED: the key is revoked;
     * anything else: not trusted. */
    enum moult_status (*secure_boot)(void *context, const struct moult_reader *image,
                                     uint32_t sector, const uint8_t digest[32]);
    /* SHA-256 over the 0xC00 bytes of the partition table on flash. Optional: NULL means
     * not compared (E_PTABLE never raised). */
    int32_t (*table_digest)(void *context, uint8_t out[32]);

    /* --- Key-value store (an own NVS namespace). Keys: MOULT_KV_KEY_MAX of [a-z0-9.] -- */
    /* *size = bytes of the blob; 0 when there is none. Larger than capacity: an error. */
    int32_t (*kv_get)(void *context, const char *key, uint8_t *out, size_t capacity,
                      size_t *size);
    /* Durable when it returns. size 1..MOULT_KV_BLOB_MAX. */
    int32_t (*kv_set)(void *context, const char *key, const uint8_t *data, size_t size);
    /* Durable when it returns; 0 also when there was none. */
    int32_t (*kv_erase)(void *context, const char *key);

    /* --- Transport: HTTPS with the device's certificate. One request at a time, never
     * blocking. --- */
    /* 0, or native: could not even be started (then there is nothing to poll). */
    int32_t (*http_start)(void *context, const struct moult_http_request *request);
    /* At most capacity (>= 1) body bytes into buffer per call; *size is set at BODY only,
     * *reply at HEADERS only, *failure at FAILED only. */
    enum moult_http_event (*http_poll)(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure);
    /* Drop the request under way; harmless without one. The connection may be kept or
     * closed. */
    void (*http_cancel)(void *context);

    /* --- The rest. --- */
    const struct moult_crypto *crypto;
    /* size bytes from a live entropy source. False: none (E_RNG; nothing is sent then). */
    bool (*random)(void *context, uint8_t *out, size_t size);
    /* id: a detail code, or one of enum moult_log_id (log.h). Never a secret. Optional:
     * NULL. */
    void (*log)(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                uint32_t b);
    /* Bytes; reported with failures. Optional: NULL means left out. */
    uint32_t (*free_heap)(void *context);
    uint32_t (*largest_block)(void *context);
    /* Signal as -dBm, 1..127; 0 unknown. Optional: NULL means left out, no signal policy.
     */
    uint8_t (*signal)(void *context);
    /* Charge in percent 0..100, and millivolts; false unknown. Optional: NULL means mains.
     */
    bool (*battery)(void *context, uint8_t *percent, uint16_t *millivolt);
};

#endif
