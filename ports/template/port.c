/* port.c - see port.h. Every callback is here, refuses to work, and says what it must do.
 *
 * A refusal is the safe beginning: the engine stops at the first callback it needs, with
 * nothing written. Fill in one group after the other, in the order of this file, and run
 *
 *     make conformance PORT=path/to/your/folder T=flash.
 *
 * until the group passes. The names in brackets are the promises that judge a callback.
 */
#include "ports/template/port.h"
#include <string.h>

/* --- App slots: ota_0, ota_1, ... ----------------------------------------------------- */

/* Read `size` bytes (1 to 4,096) at `offset` of slot number `slot`, whatever the alignment,
 * as plain bytes: decrypted where flash encryption is on. Refuse what lies outside the slot
 * or a slot that does not exist; sums of offset and size may wrap.
 * ESP-IDF: esp_partition_read(). [flash.read-any-alignment, flash.bounds] */
static int32_t flash_read(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                          size_t size)
{
    (void)context, (void)slot, (void)offset, (void)out, (void)size;
    return TEMPLATE_NOT_WRITTEN;
}

/* Erase the one sector of 4,096 bytes at `offset`. Refuse the running slot: the engine
 * never asks for it, so whoever asks is a bug, and the device must survive the bug.
 * ESP-IDF: esp_partition_erase_range(), one sector; never the whole slot, which blocks for
 * seconds. [flash.erase-one-sector, flash.running-slot-refused, time.never-blocks] */
static int32_t flash_erase(void *context, uint32_t slot, uint32_t offset)
{
    (void)context, (void)slot, (void)offset;
    return TEMPLATE_NOT_WRITTEN;
}

/* Write into erased flash. offset and size are multiples of 32 and stay within a sector;
 * each unit of 32 bytes is written once per erase, since flash encryption can do no more.
 * Return 0 only when the driver says it is written. Refuse the running slot.
 * ESP-IDF: esp_partition_write(); not esp_ota_write(), which wants the first byte first.
 * [flash.write-units, flash.write-touches-nothing-else, flash.running-slot-refused] */
static int32_t flash_write(void *context, uint32_t slot, uint32_t offset,
                           const uint8_t *data, size_t size)
{
    (void)context, (void)slot, (void)offset, (void)data, (void)size;
    return TEMPLATE_NOT_WRITTEN;
}

/* Whether all of `size` bytes are erased. Look at the raw bytes: where flash encryption is
 * on, erased flash decrypts to noise.
 * ESP-IDF: esp_partition_read_raw(), compare with 0xff. [flash.is-erased-on-raw-bytes] */
static int32_t flash_is_erased(void *context, uint32_t slot, uint32_t offset, size_t size,
                               bool *is_erased)
{
    (void)context, (void)slot, (void)offset, (void)size, (void)is_erased;
    return TEMPLATE_NOT_WRITTEN;
}

/* --- Boot control --------------------------------------------------------------------- */

/* What runs, what is selected for the next boot, the state of the entry that selects it,
 * and why the chip started. running and selected differ after the bootloader fell back: the
 * engine then confirms nothing. MOULT_SLOT_NONE when a factory app runs.
 * ESP-IDF: esp_ota_get_running_partition(), esp_ota_get_boot_partition(),
 * esp_ota_get_state_partition(), esp_reset_reason(). [boot.info] */
static int32_t boot_info(void *context, struct moult_boot_info *out)
{
    (void)context, (void)out;
    return TEMPLATE_NOT_WRITTEN;
}

/* State of the first readable otadata entry that names the slot; MOULT_SLOT_NO_ENTRY when
 * there is none, which is no error.
 * ESP-IDF: esp_ota_get_state_partition(). [boot.slot-state] */
static int32_t slot_state(void *context, uint32_t slot, enum moult_slot_state *out)
{
    (void)context, (void)slot, (void)out;
    return TEMPLATE_NOT_WRITTEN;
}

/* Verify the image in the slot once more, then select it for the next boot, as NEW. Do not
 * reset. A refusal leaves the selection as it was; a cut leaves the old one or the new one.
 * ESP-IDF: esp_ota_set_boot_partition(), bootloader and application built with rollback.
 * [boot.set-boot-verifies, boot.set-boot-selects, boot.unconfirmed-goes-back,
 * boot.cut-set-boot-leaves-a-boot] */
static int32_t set_boot(void *context, uint32_t slot)
{
    (void)context, (void)slot;
    return TEMPLATE_NOT_WRITTEN;
}

/* The selected entry becomes VALID, for good; harmless when it is. Turn off every framework
 * that does this by itself at start.
 * ESP-IDF: esp_ota_mark_app_valid_cancel_rollback(). [boot.mark-valid] */
static int32_t mark_valid(void *context)
{
    (void)context;
    return TEMPLATE_NOT_WRITTEN;
}

/* The selected entry becomes INVALID, then the chip resets, into the other image. Returns
 * only when that failed, or when the reset comes a little later.
 * ESP-IDF: esp_ota_mark_app_invalid_rollback_and_reboot(). [boot.mark-invalid] */
static int32_t mark_invalid_and_reboot(void *context)
{
    (void)context;
    return TEMPLATE_NOT_WRITTEN;
}

/* Reset the chip; may return and do it soon after.
 * ESP-IDF: esp_restart(). [boot.reboot] */
static void reboot(void *context)
{
    (void)context;
}

/* --- Key-value store ------------------------------------------------------------------ */

/* The blob of a key into out, its size into *size; 0 bytes and result 0 when there is none.
 * A blob larger than capacity is an error, not a part of it.
 * ESP-IDF: nvs_get_blob() in a namespace of its own; ESP_ERR_NVS_NOT_FOUND is "none".
 * [store.absent-is-empty, store.set-and-get, store.small-buffer-is-an-error] */
static int32_t kv_get(void *context, const char *key, uint8_t *out, size_t capacity,
                      size_t *size)
{
    (void)context, (void)key, (void)out, (void)capacity, (void)size;
    return TEMPLATE_NOT_WRITTEN;
}

/* Durable when it returns 0: commit here, not later. 1 to 2,176 bytes, keys of 1 to 15
 * characters of [a-z0-9.]. A cut may leave the old blob, the new one, nothing or garbage
 * under this key, and never harms another. A full store is an error that changes nothing.
 * ESP-IDF: nvs_set_blob(), then nvs_commit().
 * [store.durable, store.blob-sizes, store.keys, store.full, store.cut-...] */
static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    (void)context, (void)key, (void)data, (void)size;
    return TEMPLATE_NOT_WRITTEN;
}

/* Durable when it returns; 0 also when there was none.
 * ESP-IDF: nvs_erase_key(), then nvs_commit(). [store.set-and-get, store.durable] */
static int32_t kv_erase(void *context, const char *key)
{
    (void)context, (void)key;
    return TEMPLATE_NOT_WRITTEN;
}

/* --- Transport: HTTPS with the device's certificate ----------------------------------- */

/* Begin a request and return at once: names are resolved, connections made and handshakes
 * done from http_poll. Copy the struct; the strings and the body stay where they are until
 * HEADERS, FAILED or http_cancel. base and path are joined here, with one slash; base NULL
 * means that path is a whole URL.
 * ESP-IDF: esp_http_client with is_async, or esp_tls_conn_new_async() and a parser; check
 * that your choice never blocks. [transport.post, transport.url, transport.if-range,
 * transport.borrows-until-headers, transport.never-blocks] */
static int32_t http_start(void *context, const struct moult_http_request *request)
{
    (void)context, (void)request;
    return TEMPLATE_NOT_WRITTEN;
}

/* Look once. HEADERS exactly once and before any BODY; at most `capacity` bytes per BODY;
 * END only when the body is complete, by its length or its last chunk. A connection lost
 * before is FAILED/RESET; nothing moved for timeout_ms is FAILED/STALL. Follow no redirect.
 * Take a Content-Range only when it is one, and an ETag only when it is strong and fits.
 * [every transport.*] */
static enum moult_http_event http_poll(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure)
{
    (void)context, (void)buffer, (void)capacity, (void)size, (void)reply;
    failure->kind = MOULT_NET_CONNECT; /* the kind that is true; reports are made of it */
    failure->native = TEMPLATE_NOT_WRITTEN;
    return MOULT_HTTP_FAILED;
}

/* Forget the request under way: no byte of it may appear in the next one. Harmless without
 * one. [transport.cancel] */
static void http_cancel(void *context)
{
    (void)context;
}

/* --- Crypto --------------------------------------------------------------------------- */

/* ports/posix/psa_crypto.c is written over the PSA API alone: with ESP-IDF take it as it is
 * and delete this group. [crypto.*] */

static bool sha256_init(void *context, struct moult_sha256 *hash)
{
    (void)context, (void)hash; /* your library's state goes into hash->opaque */
    return false;
}

static bool sha256_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                          size_t size)
{
    (void)context, (void)hash, (void)data, (void)size;
    return false;
}

static bool sha256_clone(void *context, const struct moult_sha256 *from,
                         struct moult_sha256 *to)
{
    (void)context, (void)from, (void)to; /* two hashes that go their own ways from here */
    return false;
}

static bool sha256_final(void *context, struct moult_sha256 *hash, uint8_t out[32])
{
    (void)context, (void)hash, (void)out;
    return false;
}

static void sha256_abort(void *context, struct moult_sha256 *hash)
{
    (void)context, (void)hash;
}

/* ECDSA P-256 over a digest. Refuses r or s outside 1..n-1 and points beside the curve,
 * which not every library does by itself. False on any error. */
static bool verify_p256(void *context, const uint8_t public_key[64],
                        const uint8_t digest[32], const uint8_t signature[64])
{
    (void)context, (void)public_key, (void)digest, (void)signature;
    return false;
}

static const struct moult_crypto crypto = {
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_clone = sha256_clone,
    .sha256_final = sha256_final,
    .sha256_abort = sha256_abort,
    .verify_p256 = verify_p256,
};

/* --- The rest ------------------------------------------------------------------------- */

/* Bytes of a live entropy source. On an ESP32 the hardware generator is one only while
 * radio or bootloader entropy is on: say false when it is not, and nothing is sent.
 * ESP-IDF: esp_fill_random(). [random.live] */
static bool draw_random(void *context, uint8_t *out, size_t size)
{
    (void)context, (void)out, (void)size;
    return false;
}

/* Numbers only: an id of moult/log.h or a detail code, and two values. Print them where
 * people look. Never log a request, a blob or a key yourself. [log.no-secret] */
static void log_line(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                     uint32_t b)
{
    (void)context, (void)level, (void)id, (void)a, (void)b;
}

void template_port_init(struct template_port *port, struct moult_port *out)
{
    memset(port, 0, sizeof *port);
    port->slot_count = 2; /* count the ota_N partitions, contiguous from ota_0 */
    *out = (struct moult_port){
        .context = port,
        .slot_count = port->slot_count,
        .slot_size = 0x1e0000, /* of each; refuse tables whose slots differ */
        .flash_read = flash_read,
        .flash_erase = flash_erase,
        .flash_write = flash_write,
        .flash_is_erased = flash_is_erased,
        .running_read = NULL, /* only if a factory app is to be updated */
        .boot_info = boot_info,
        .slot_state = slot_state,
        .set_boot = set_boot,
        .mark_valid = mark_valid,
        .mark_invalid_and_reboot = mark_invalid_and_reboot,
        .reboot = reboot,
        .secure_version = NULL, /* only with anti-rollback: number of burnt eFuse bits */
        .raise_secure_version = NULL, /* only where the product raises it */
        .secure_boot = NULL,          /* only with Secure Boot V2: moult_sb_trusts() */
        .table_digest = NULL, /* SHA-256 of the table's 0xC00 bytes, to notice another */
        .kv_get = kv_get,
        .kv_set = kv_set,
        .kv_erase = kv_erase,
        .http_start = http_start,
        .http_poll = http_poll,
        .http_cancel = http_cancel,
        .crypto = &crypto,
        .random = draw_random,
        .log = log_line,
        .free_heap = NULL,     /* bytes: esp_get_free_heap_size() */
        .largest_block = NULL, /* bytes: heap_caps_get_largest_free_block() */
        .signal = NULL,        /* -dBm of the access point; 0 unknown */
        .battery = NULL,       /* NULL: on mains */
    };
}
