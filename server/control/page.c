/* page.c - see page.h. */
#include "server/control/page.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/control/problem.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 500 };

enum moult_status page_begin(const struct control_page *page, struct page_builder *out)
{
    memset(out, 0, sizeof *out);
    out->limit = page->limit ? page->limit : PAGE_DEFAULT;
    if (out->limit > PAGE_MAX) { out->limit = PAGE_MAX; }
    out->items = json_array();
    return out->items ? MOULT_OK : MOULT_E_NOMEM;
}

bool page_add(struct page_builder *page, json_t *item, const char *cursor)
{
    if (json_array_size(page->items) == page->limit) {
        json_decref(item);
        memcpy(page->next, page->last, sizeof page->next);
        return false;
    }
    page->has_failed = !item || json_array_append_new(page->items, item) != 0;
    snprintf(page->last, sizeof page->last, "%s", cursor);
    return !page->has_failed;
}

enum moult_status page_end(struct page_builder *page, enum moult_status status,
                           json_t **out)
{
    if (status == MOULT_OK && page->has_failed) { status = MOULT_E_NOMEM; }
    json_t *object = NULL;
    if (status == MOULT_OK) {
        object = json_pack("{s:O, s:s?}", "items", page->items, "next",
                           page->next[0] ? page->next : NULL);
        status = object ? MOULT_OK : MOULT_E_NOMEM;
    }
    json_decref(page->items);
    *out = object;
    return status;
}

bool page_add_number(struct page_builder *page, json_t *item, int64_t cursor)
{
    char text[ID_TEXT_SIZE];
    snprintf(text, sizeof text, "%" PRId64, cursor);
    return page_add(page, item, text);
}

enum moult_status page_number(const struct control_call *call,
                              const struct control_page *page, int64_t *after)
{
    const char *text = page->cursor;
    int64_t value = 0;
    *after = 0;
    if (!text) { return MOULT_OK; }
    size_t size = strlen(text);
    bool is_number = size >= 1 && size <= 18; /* below 2^63 */
    for (size_t i = 0; i < size && is_number; i++) {
        is_number = text[i] >= '0' && text[i] <= '9';
        value = value * 10 + (text[i] - '0');
    }
    if (!is_number) {
        return problem_field(call->problem, MOULT_D_API_QUERY, "cursor",
                             "a cursor of this list", text);
    }
    *after = value;
    return MOULT_OK;
}

enum moult_status device_named(const struct control_call *call, const char *text,
                               struct store_device *out)
{
    uint8_t id[16];
    bool is_id = strlen(text) == 32 && moult_hex_decode(text, id, 16);
    enum moult_status st = is_id ? store_device_by_id(call->db, id, out)
                                 : store_device_by_name(call->db, text, out);
    if (st == MOULT_E_NOENT) {
        return problem_field(call->problem, MOULT_D_API_NOT_FOUND, "device", "device",
                             text);
    }
    if (st == MOULT_E_CONFLICT) {
        problem_field(call->problem, MOULT_D_API_QUERY, "device",
                      "a name or serial that one device has", text);
        problem_hint(call->problem, "use the device's id: moult device list");
        return MOULT_E_ARG;
    }
    return problem_store(call, st);
}
