/* handle_statement.c - GET /device/v1/release/{sha256}, /device/v1/keyset/{version} and
 * /device/v1/endpoints/{version}: signed statements, from memory. They never change, so
 * their name is their ETag.
 */
#include <stdlib.h>
#include <string.h>
#include "formats/cose.h"
#include "server/http/device_api.h"

#define TYPE_COSE "application/cose"

static enum moult_status reply_statement(struct http_request *request,
                                         struct http_reply *reply, const uint8_t *data,
                                         size_t size)
{
    const char *name = request->params[0].value;
    char *etag = arena_printf(request->arena, "\"%s\"", name);
    if (!etag) { return MOULT_E_NOMEM; }
    const char *known = http_request_header(request, "if-none-match");
    if (known && strcmp(known, etag) == 0) {
        http_reply_empty(reply);
        reply->status = 304;
    } else {
        http_reply_bytes(reply, 200, TYPE_COSE, data, size);
    }
    http_reply_header(reply, "ETag", etag);
    return MOULT_OK;
}

enum moult_status handle_release_statement(struct http_request *request,
                                           const struct env *env, struct http_reply *reply)
{
    const char *name = http_request_param(request, "sha256");
    uint8_t digest[32];
    size_t size = 0;
    uint8_t *data = arena_alloc(request->arena, MOULT_STATEMENT_SIZE_MAX);
    if (!data) { return MOULT_E_NOMEM; }
    if (strlen(name) != 64 || !moult_hex_decode(name, digest, 32) ||
        control_release_read(env->control, digest, data, MOULT_STATEMENT_SIZE_MAX, &size) !=
            MOULT_OK) {
        return http_fail(request, reply, MOULT_D_API_NOT_FOUND, "release", name);
    }
    return reply_statement(request, reply, data, size);
}

/* The number of a path's {version}; 0: none. */
static uint32_t version_of(const char *name)
{
    char *end = NULL;
    unsigned long version = strtoul(name, &end, 10);
    bool is_number = name[0] >= '1' && name[0] <= '9' && *end == '\0';
    return is_number && version <= UINT32_MAX ? (uint32_t)version : 0;
}

enum moult_status handle_keyset(struct http_request *request, const struct env *env,
                                struct http_reply *reply)
{
    const char *name = http_request_param(request, "version");
    uint32_t version = version_of(name);
    size_t size = 0;
    uint8_t *data = arena_alloc(request->arena, MOULT_KEYSET_SIZE_MAX);
    if (!data) { return MOULT_E_NOMEM; }
    if (version == 0 || control_keyset_read(env->control, version, data,
                                            MOULT_KEYSET_SIZE_MAX, &size) != MOULT_OK) {
        return http_fail(request, reply, MOULT_D_API_NOT_FOUND, "keyset", name);
    }
    return reply_statement(request, reply, data, size);
}

enum moult_status handle_endpoints(struct http_request *request, const struct env *env,
                                   struct http_reply *reply)
{
    const char *name = http_request_param(request, "version");
    uint32_t version = version_of(name);
    size_t size = 0;
    uint8_t *data = arena_alloc(request->arena, MOULT_STATEMENT_SIZE_MAX);
    if (!data) { return MOULT_E_NOMEM; }
    if (version == 0 ||
        control_endpoints_read(env->control, version, data, MOULT_STATEMENT_SIZE_MAX,
                               &size) != MOULT_OK) {
        return http_fail(request, reply, MOULT_D_API_NOT_FOUND, "endpoint list", name);
    }
    return reply_statement(request, reply, data, size);
}
