/* release_list.c - see release_list.h. */
#include "server/signer/release_list.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "server/base/mem.h"
#include "server/signer/durable.h"

enum { RECORD_SIZE = 36 };

static bool record_is_good(const uint8_t *record)
{
    return get_le32(record + 32) == crc32_le(0, record, 32);
}

static enum moult_status take_records(struct release_list *list, const uint8_t *raw,
                                      size_t size)
{
    size_t whole = size / RECORD_SIZE;
    for (size_t i = 0; i < whole; i++) {
        const uint8_t *record = raw + i * RECORD_SIZE;
        if (!record_is_good(record)) {
            if (i + 1 < whole) { return MOULT_E_FORMAT; }
            break; /* the last one: torn by a cut, never acknowledged */
        }
        memcpy(list->digests[list->count++], record, 32);
    }
    size_t good = list->count * RECORD_SIZE;
    if (good < size && truncate(list->path, (off_t)good) != 0) { return MOULT_E_IO; }
    return MOULT_OK;
}

enum moult_status release_list_open(struct release_list *list, const char *path)
{
    memset(list, 0, sizeof *list);
    int n = snprintf(list->path, sizeof list->path, "%s", path);
    if (n < 0 || n >= (int)sizeof list->path) { return MOULT_E_RANGE; }

    size_t capacity = (size_t)RELEASE_LIST_MAX * RECORD_SIZE, size = 0;
    uint8_t *raw = mem_alloc(capacity);
    list->digests = mem_alloc_array(RELEASE_LIST_MAX, sizeof list->digests[0]);
    enum moult_status st =
        raw && list->digests ? durable_read(path, raw, capacity, &size) : MOULT_E_NOMEM;
    if (st == MOULT_OK) { st = take_records(list, raw, size); }
    if (st == MOULT_E_NOENT) { st = MOULT_OK; }
    mem_free(raw);
    if (st != MOULT_OK) { release_list_close(list); }
    return st;
}

void release_list_close(struct release_list *list)
{
    mem_free(list->digests);
    list->digests = NULL;
    list->count = 0;
}

bool release_list_has(const struct release_list *list, const uint8_t digest[32])
{
    for (size_t i = list->count; i > 0; i--) { /* rollouts name recent ones */
        if (memcmp(list->digests[i - 1], digest, 32) == 0) { return true; }
    }
    return false;
}

enum moult_status release_list_add(struct release_list *list, const uint8_t digest[32])
{
    if (release_list_has(list, digest)) { return MOULT_OK; }
    if (list->count >= RELEASE_LIST_MAX) { return MOULT_E_SPACE; }
    uint8_t record[RECORD_SIZE];
    memcpy(record, digest, 32);
    put_le32(record + 32, crc32_le(0, digest, 32));
    enum moult_status st = durable_append(list->path, record, sizeof record);
    if (st == MOULT_OK) { memcpy(list->digests[list->count++], digest, 32); }
    return st;
}
