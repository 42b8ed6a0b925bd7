/* error.c - what went wrong in a call, as one struct; see client.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"

static void copy_text(char *out, size_t size, const char *text)
{
    /* A message for people: it may be cut. */
    (void)snprintf(out, size, "%s", text ? text : "");
}

void client_error_set(struct client_error *error, enum moult_detail detail,
                      const char *want, const char *have)
{
    const struct moult_code_info *info = moult_detail_info((uint16_t)detail);
    assert(info); /* every detail of the enum is a row */
    *error = (struct client_error){
        .status = info->status, .detail = info->code, .exit_code = info->exit};
    /* A message for people: it may be cut. */
    (void)moult_code_words(info, want, have, error->words, sizeof error->words);
    copy_text(error->hint, sizeof error->hint, info->next);
}

/* For a reply without a code of ours: a proxy in front, or another release of the server.
 */
static int exit_of_http(int http)
{
    static const struct {
        int http, exit_code;
    } row[] = {{400, 2}, {401, 4}, {403, 4},  {404, 3},  {409, 5},  {410, 5}, {412, 5},
               {422, 6}, {428, 5}, {429, 10}, {502, 10}, {503, 10}, {504, 10}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (row[i].http == http) { return row[i].exit_code; }
    }
    return 1;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void client_error_from_reply(struct client_error *error, int http, const json_t *problem)
{
    const char *code_text = text_of(problem, "code");
    char letter = 0;
    uint16_t code = 0;
    bool known = code_text && moult_code_parse(code_text, &letter, &code) == MOULT_OK &&
                 letter == 'E';
    char status[32];
    (void)snprintf(status, sizeof status, "HTTP %d", http); /* fits */
    client_error_set(error, known ? (enum moult_detail)code : MOULT_D_CLI_REPLY,
                     "2xx or problem+json", status);
    error->http = http;
    if (!known) { error->exit_code = exit_of_http(http); }
    const char *words = text_of(problem, "detail");
    if (!words) { words = text_of(problem, "title"); }
    if (words) { copy_text(error->words, sizeof error->words, words); }
    const char *hint = text_of(problem, "hint");
    if (hint) { copy_text(error->hint, sizeof error->hint, hint); }
    copy_text(error->field, sizeof error->field, text_of(problem, "field"));
    copy_text(error->request_id, sizeof error->request_id, text_of(problem, "request_id"));
}
