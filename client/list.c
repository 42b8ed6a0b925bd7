/* list.c - walks a list of the API page by page; see client.h. */
#include <assert.h>
#include <string.h>

#include "client/client.h"

void client_list_start(struct client_list *list, struct client *client, const char *path,
                       const struct client_pair *query)
{
    *list = (struct client_list){.client = client, .path = path, .query = query};
}

static const char *cursor_of(const struct client_list *list)
{
    return json_string_value(json_object_get(list->page, "next"));
}

static enum moult_status bad_page(struct client_error *error, const char *want)
{
    client_error_set(error, MOULT_D_CLI_REPLY, want, "something else");
    return MOULT_E_FORMAT;
}

static enum moult_status fetch_page(struct client_list *list, struct client_error *error)
{
    struct client_pair query[CLIENT_QUERY_MAX + 3] = {{"limit", CLIENT_PAGE_SIZE},
                                                      {"cursor", cursor_of(list)}};
    size_t count = 2;
    for (const struct client_pair *pair = list->query; pair && pair->name; pair++) {
        assert(count < CLIENT_QUERY_MAX + 2);
        query[count++] = *pair;
    }
    if (++list->pages > CLIENT_PAGES_MAX) { return bad_page(error, "a list that ends"); }
    json_t *page = NULL;
    enum moult_status st = client_get(list->client, list->path, query, &page, error);
    if (st != MOULT_OK) { return st; }
    json_decref(list->page);
    list->page = page;
    list->index = 0;
    if (!json_is_array(json_object_get(page, "items"))) {
        return bad_page(error, "a list with \"items\"");
    }
    list->is_last = cursor_of(list) == NULL;
    return MOULT_OK;
}

enum moult_status client_list_next(struct client_list *list, json_t **item,
                                   struct client_error *error)
{
    /* A server may answer an empty page with a cursor; each turn fetches one of a bounded
     * number. */
    while (!list->page ||
           list->index >= json_array_size(json_object_get(list->page, "items"))) {
        if (list->page && list->is_last) { return MOULT_E_NOENT; }
        enum moult_status st = fetch_page(list, error);
        if (st != MOULT_OK) { return st; }
    }
    *item = json_array_get(json_object_get(list->page, "items"), list->index++);
    return MOULT_OK;
}

void client_list_end(struct client_list *list)
{
    json_decref(list->page);
    list->page = NULL;
}
