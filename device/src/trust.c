/* trust.c - see trust.h. */
#include "device/src/trust.h"
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/record.h"
#include "device/src/store.h"
#include "formats/image_info.h"

static struct moult_bytes held(const struct moult_session *s)
{
    return (struct moult_bytes){s->trust.bytes, s->trust.size};
}

static struct moult_bytes in_work(const struct moult_session *s)
{
    return (struct moult_bytes){s->work + MOULT_RECORD_HEADER, s->work_size};
}

enum moult_status moult_trust_load_baked(struct moult_session *s,
                                         struct moult_finding *finding)
{
    struct moult_reader image = moult_running_reader(s);
    const struct moult_image_info *info = &s->running.info;
    *finding = (struct moult_finding){0};
    s->trust.is_good = false;
    if (!s->running.is_managed || info->keyset_size == 0) { return MOULT_E_NOENT; }
    enum moult_status st =
        moult_image_info_read_keyset(&image, info, s->trust.bytes, sizeof s->trust.bytes);
    if (st != MOULT_OK) { return st; }

    s->trust.size = info->keyset_size;
    st = moult_keyset_verify_first(s->port->crypto, held(s), info->fleet_id,
                                   &s->trust.keyset, finding);
    s->trust.is_good = st == MOULT_OK;
    return st;
}

/* The bytes in work, which `found` was read from, become the keyset in force. */
static enum moult_status take_over(struct moult_session *s)
{
    assert(s->work_size <= sizeof s->trust.bytes);
    memcpy(s->trust.bytes, s->work + MOULT_RECORD_HEADER, s->work_size);
    s->trust.size = s->work_size;
    enum moult_status st = moult_keyset_verify_first(
        s->port->crypto, held(s), s->running.info.fleet_id, &s->trust.keyset, NULL);
    s->trust.is_good =
        st == MOULT_OK; /* false: the crypto library failed between two calls */
    return st;
}

enum moult_status moult_trust_load_stored(struct moult_session *s,
                                          struct moult_finding *finding)
{
    size_t size;
    bool is_damaged;
    *finding = (struct moult_finding){0};
    enum moult_status st =
        moult_record_load(s, MOULT_RECORD_KEYSET, moult_work_frame(s), &size, &is_damaged);
    if (st == MOULT_E_NOENT) { return is_damaged ? MOULT_E_IO : MOULT_OK; }
    if (st != MOULT_OK) { return st; }

    /* Its own root threshold, and the baked one's where it follows directly. Later links
     * cannot be proven from the last one alone: encrypted storage is what protects them. */
    struct moult_keyset *found = &s->scratch.keyset;
    s->work_size = (uint16_t)size;
    st = moult_keyset_verify_first(s->port->crypto, in_work(s), s->running.info.fleet_id,
                                   found, finding);
    if (st == MOULT_OK && found->version <= s->trust.keyset.version) {
        return is_damaged ? MOULT_E_IO : MOULT_OK; /* the baked one is as new */
    }
    if (st == MOULT_OK && found->version == s->trust.keyset.version + 1) {
        st = moult_keyset_verify_next(s->port->crypto, in_work(s), &s->trust.keyset, found,
                                      finding);
    }
    if (st != MOULT_OK) { return st; }
    st = take_over(s);
    return st == MOULT_OK && is_damaged ? MOULT_E_IO : st;
}

enum moult_status moult_trust_adopt(struct moult_session *s, struct moult_finding *finding)
{
    assert(s->trust.is_good && s->work_size <= MOULT_KEYSET_SIZE_MAX);
    enum moult_status st = moult_keyset_verify_next(
        s->port->crypto, in_work(s), &s->trust.keyset, &s->scratch.keyset, finding);
    if (st != MOULT_OK) { return st; }
    st = moult_record_store(s, MOULT_RECORD_KEYSET, moult_work_frame(s), s->work_size);
    if (st == MOULT_OK) { st = take_over(s); }
    if (st == MOULT_OK) { st = moult_floor_adopt(s); }
    if (st == MOULT_OK) { st = moult_orders_prune(s); }
    if (st != MOULT_OK) { finding->detail = MOULT_D_KEYSET_WRITE; }
    return st;
}
