/* operator_api.c - see operator_api.h. */
#include "server/http/operator_api.h"
#include <stdlib.h>
#include <string.h>
#include "formats/cose.h"
#include "server/base/mem.h"
#include "server/control/admin.h"
#include "server/http/device_api.h"

enum {
    READ = ROLE_VIEWER | ROLE_OPERATOR | ROLE_RELEASER | ROLE_APPROVER | ROLE_AUDITOR |
           ROLE_ADMIN,
    OPERATE = ROLE_OPERATOR,
    RELEASE = ROLE_RELEASER,
    AUDIT = ROLE_AUDITOR | ROLE_ADMIN,
    OPEN = 0,    /* no token */
    LOST_S = 5,  /* Retry-After of what may work at once */
    BUSY_S = 60, /* Retry-After of a limit that time lifts */
    BODY_JSON = 65536,
    BODY_CSV = 8 * 1024 * 1024, /* about 60,000 devices a file */
};

#define API(path) "/api/v1" path

/* clang-format off */
static const struct http_route rows[] = {
    {HTTP_GET, API("/version"), OPEN, HTTP_ON_IO, 0, handle_version},
    {HTTP_GET, API("/status"), READ, HTTP_ON_READER, 0, handle_status},
    {HTTP_GET, API("/products"), READ, HTTP_ON_READER, 0, handle_products},
    {HTTP_GET, API("/devices"), READ, HTTP_ON_READER, 0, handle_device_list},
    {HTTP_POST, API("/devices/actions"), OPERATE, HTTP_ON_WRITER, BODY_JSON,
     handle_device_actions},
    {HTTP_POST, API("/devices/import"), OPERATE, HTTP_ON_IO, BODY_CSV,
     handle_device_import},
    {HTTP_GET, API("/devices/export"), READ, HTTP_ON_READER, 0, handle_device_export},
    {HTTP_GET, API("/devices/{id}"), READ, HTTP_ON_READER, 0, handle_device_show},
    {HTTP_GET, API("/devices/{id}/history"), READ, HTTP_ON_READER, 0,
     handle_device_history},
    {HTTP_GET, API("/devices/{id}/why"), READ, HTTP_ON_READER, 0, handle_device_why},
    {HTTP_POST, API("/devices/{id}/{verb}"), OPERATE, HTTP_ON_WRITER, BODY_JSON,
     handle_device_verb},
    {HTTP_PUT, API("/artifacts/{sha256}"), RELEASE, HTTP_ON_IO, ARTIFACT_SIZE_MAX,
     handle_artifact_put},
    {HTTP_POST, API("/releases"), RELEASE, HTTP_ON_IO, MOULT_STATEMENT_SIZE_MAX,
     handle_release_create},
    {HTTP_GET, API("/releases"), READ, HTTP_ON_READER, 0, handle_release_list},
    {HTTP_GET, API("/releases/{id}"), READ, HTTP_ON_READER, 0, handle_release_show},
    {HTTP_GET, API("/releases/{id}/statement"), READ, HTTP_ON_READER, 0,
     handle_release_envelope},
    {HTTP_POST, API("/rollouts"), OPERATE, HTTP_ON_WRITER, BODY_JSON,
     handle_rollout_create},
    {HTTP_GET, API("/rollouts"), READ, HTTP_ON_READER, 0, handle_rollout_list},
    {HTTP_GET, API("/rollouts/{id}"), READ, HTTP_ON_READER, 0, handle_rollout_show},
    {HTTP_GET, API("/rollouts/{id}/devices"), READ, HTTP_ON_READER, 0,
     handle_rollout_devices},
    {HTTP_POST, API("/rollouts/{id}/{verb}"), OPERATE, HTTP_ON_WRITER, BODY_JSON,
     handle_rollout_verb},
    {HTTP_GET, API("/events"), READ, HTTP_ON_READER, 0, handle_events},
    {HTTP_GET, API("/audit"), AUDIT, HTTP_ON_READER, 0, handle_audit},
    {HTTP_GET, API("/keysets/{version}"), READ, HTTP_ON_IO, 0, handle_keyset},
    {HTTP_GET, "/metrics", READ, HTTP_ON_IO, 0, handle_metrics},
};
/* clang-format on */

const struct http_routes operator_routes = {rows, sizeof rows / sizeof rows[0]};

static bool is_loopback(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

static bool refuse_token(struct http_request *request, struct http_reply *reply,
                         const char *have)
{
    http_fail(request, reply, MOULT_D_API_TOKEN, "a valid token", have);
    http_reply_header(reply, "WWW-Authenticate", "Bearer");
    return false;
}

bool operator_admit(const struct env *env, struct http_request *request,
                    struct http_reply *reply)
{
    const struct http_route *route = request->route;
    if (route->scope == OPEN || (route->handle == handle_metrics && env->metrics_open &&
                                 is_loopback(request->peer))) {
        return true;
    }
    static const char scheme[] = "Bearer ";
    const char *given = http_request_header(request, "authorization");
    if (!given) { return refuse_token(request, reply, "none"); }
    if (strncmp(given, scheme, sizeof scheme - 1) != 0) {
        return refuse_token(request, reply, "another scheme than Bearer");
    }
    struct control_token *token = arena_alloc(request->arena, sizeof *token);
    if (!token || control_token_find(env->control, given + sizeof scheme - 1,
                                     (int64_t)request->realtime_ms, token) != MOULT_OK) {
        return refuse_token(request, reply, "an unknown, expired or revoked one");
    }
    if ((token->roles & route->scope) == 0) {
        char want[64], have[64];
        role_words(route->scope, want);
        role_words(token->roles, have);
        http_fail(request, reply, MOULT_D_API_SCOPE, want, have);
        return false;
    }
    request->principal = token;
    return true;
}

bool operator_call_begin(struct http_request *request, const struct env *env,
                         const char *const *known, struct operator_call *call,
                         struct http_reply *reply)
{
    const char *keys[16] = {"dry_run", "limit", "cursor"};
    size_t count = 3;
    for (; known && *known; known++) {
        keys[count++] = *known;
    }
    const char *bad = NULL;
    if (!http_query_check(request, keys, &bad)) {
        struct http_problem problem = {.code = MOULT_D_API_QUERY,
                                       .field = bad,
                                       .want = "a parameter of this endpoint, once",
                                       .have = bad};
        http_problem(request, reply, &problem);
        return false;
    }
    const char *dry = http_request_query(request, "dry_run");
    const struct control_token *token = request->principal;
    memset(call, 0, sizeof *call);
    call->control = (struct control_call){
        .control = env->control,
        .db = env->db,
        .now_ms = (int64_t)request->realtime_ms,
        .actor = {.name = token ? token->name : "anonymous",
                  .address = request->peer,
                  .request_id = request->id},
        .dry_run = dry && strcmp(dry, "true") == 0,
    };
    call->control.problem = &call->problem; /* the call stays where its caller has it */
    if (dry && strcmp(dry, "true") != 0 && strcmp(dry, "false") != 0) {
        http_fail(request, reply, MOULT_D_API_QUERY, "dry_run=true or false", dry);
        return false;
    }
    return true;
}

bool operator_page(struct http_request *request, struct control_page *page,
                   struct http_reply *reply)
{
    *page = (struct control_page){.cursor = http_request_query(request, "cursor")};
    const char *limit = http_request_query(request, "limit");
    if (!limit) { return true; }
    char *end = NULL;
    unsigned long n = strtoul(limit, &end, 10);
    if (limit[0] < '0' || limit[0] > '9' || *end || n < 1 || n > 500) {
        http_fail(request, reply, MOULT_D_API_QUERY, "limit from 1 to 500", limit);
        return false;
    }
    page->limit = (unsigned)n;
    return true;
}

json_t *operator_body(struct http_request *request, struct http_reply *reply)
{
    if (request->body.size == 0) { return json_object(); }
    json_error_t error;
    json_t *body = json_loadb((const char *)request->body.data, request->body.size,
                              JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(body)) { return body; }
    const char *have = body ? "another value"
                            : arena_printf(request->arena, "%s at line %d, column %d",
                                           error.text, error.line, error.column);
    json_decref(body);
    http_fail(request, reply, MOULT_D_API_BODY, "a JSON object",
              have ? have : "other bytes");
    return NULL;
}

enum moult_status operator_reply_as(struct http_request *request, struct http_reply *reply,
                                    uint16_t http_status, json_t *object)
{
    const char *etag = json_string_value(json_object_get(object, "etag"));
    char *quoted = etag ? arena_printf(request->arena, "\"%s\"", etag) : NULL;
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    size_t size = text ? strlen(text) : 0;
    char *kept = text ? arena_text(request->arena, text, size) : NULL;
    free(text); /* style: allow HEAP_DIRECT, jansson allocated it */
    if (!kept) { return MOULT_E_NOMEM; }
    http_reply_bytes(reply, http_status, HTTP_TYPE_JSON, kept, size);
    if (quoted) { http_reply_header(reply, "ETag", quoted); }
    return MOULT_OK;
}

enum moult_status operator_reply_problem(struct http_request *request,
                                         const struct control_problem *problem,
                                         struct http_reply *reply)
{
    const struct moult_code_info *info = moult_detail_info(problem->detail);
    struct http_problem out = {
        /* What a device would have refused has no HTTP status of its own. */
        .status = info && info->http == 0 ? 422 : 0,
        .code = problem->detail ? problem->detail : (uint16_t)MOULT_D_API_INTERNAL,
        .text = problem->text[0] ? problem->text : NULL,
        .field = problem->field[0] ? problem->field : NULL,
        .hint = problem->hint[0] ? problem->hint : NULL,
        .retry_after_s = problem->detail == MOULT_D_API_BUSY ? BUSY_S : 0,
    };
    return http_problem(request, reply, &out);
}

enum moult_status operator_reply(struct http_request *request, struct operator_call *call,
                                 enum moult_status status, json_t *object,
                                 struct http_reply *reply)
{
    if (status == MOULT_OK) { return operator_reply_as(request, reply, 200, object); }
    if (call->problem.detail == 0) { return status; } /* a bug or no memory: 500 */
    return operator_reply_problem(request, &call->problem, reply);
}

void operator_reply_lost(struct http_request *request, struct http_reply *reply,
                         enum moult_status status)
{
    bool is_busy = status == MOULT_E_BUSY || status == MOULT_E_STATE;
    struct http_problem problem = {.code = is_busy ? MOULT_D_API_BUSY : MOULT_D_STORE_WRITE,
                                   .want = "queued requests",
                                   .have = moult_status_name(status),
                                   .retry_after_s = LOST_S};
    http_problem(request, reply, &problem);
}
