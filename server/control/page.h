/* page.h - pages of lists, and the objects that paths name; private to this folder.
 *
 * Layer    server/control.
 * Use it   page_begin(), page_add() per row until false, page_end(). Ask the store for one
 *          row more than `limit`: it says that there is a next page.
 */
#ifndef MOULT_SERVER_CONTROL_PAGE_H
#define MOULT_SERVER_CONTROL_PAGE_H

#include "server/control/control.h"
#include "server/control/ids.h"
#include "server/store/store_device.h"

struct page_builder {
    json_t *items;
    unsigned limit;
    char next[ID_TEXT_SIZE]; /* cursor behind the last item; "" at the end */
    char last[ID_TEXT_SIZE]; /* cursor of the last item added */
    bool has_failed;
};

MOULT_MUST_CHECK enum moult_status page_begin(const struct control_page *page,
                                              struct page_builder *out);
/* Takes item (moved; NULL: no memory). False: the page is full, or there is no memory. */
bool page_add(struct page_builder *page, json_t *item, const char *cursor);
bool page_add_number(struct page_builder *page, json_t *item, int64_t cursor);
/* {"items":[...],"next":...} into *out when status and page are OK; frees the rest. */
MOULT_MUST_CHECK enum moult_status page_end(struct page_builder *page,
                                            enum moult_status status, json_t **out);

/* A cursor that is a number; 0 when there is none. Otherwise problem (E2022). */
MOULT_MUST_CHECK enum moult_status page_number(const struct control_call *call,
                                               const struct control_page *page,
                                               int64_t *after);

/* The device that a path or parameter names: 32 hex digits, or a name or serial that only
 * one has. Otherwise problem (E2021). */
MOULT_MUST_CHECK enum moult_status device_named(const struct control_call *call,
                                                const char *text, struct store_device *out);

#endif
