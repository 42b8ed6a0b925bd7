/* client.c - see client.h. The only file that knows libcurl. */
#include "client/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "client/mem.h"
#include "client/url.h"

struct client {
    CURL *curl;
    char *server, *token, *ca_file;
    unsigned tries;
};

struct transfer { /* one try */
    const struct client_request *request;
    const uint8_t *send;
    size_t send_size, sent;
    uint8_t *body;
    size_t body_size, body_room;
    bool is_over_limit, is_out_of_memory;
    struct curl_slist *headers;
    char etag[sizeof((struct client_reply *)0)->etag];
    uint64_t retry_after_s;
    char curl_words[CURL_ERROR_SIZE];
};

/* --- open and close --- */

static enum moult_status start(struct client *client, const struct client_config *config)
{
    client->server = client_mem_copy(config->server);
    client->token = config->token ? client_mem_copy(config->token) : NULL;
    client->ca_file = config->ca_file ? client_mem_copy(config->ca_file) : NULL;
    client->tries = config->tries > 0 ? config->tries : CLIENT_TRIES_MAX;
    if (!client->server || (config->token && !client->token) ||
        (config->ca_file && !client->ca_file)) {
        return MOULT_E_NOMEM;
    }
    client->curl = curl_easy_init();
    return client->curl ? MOULT_OK : MOULT_E_NOMEM;
}

static void out_of_memory(struct client_error *error)
{
    client_error_set(error, MOULT_D_CLI_REPLY, "memory for it", "none left");
    error->status = MOULT_E_NOMEM;
}

enum moult_status client_open(const struct client_config *config, struct client **out,
                              struct client_error *error)
{
    *out = NULL;
    if (!client_server_is_valid(config->server)) {
        client_error_set(error, MOULT_D_CLI_USAGE, "a server like https://host:port",
                         config->server);
        return error->status;
    }
    if (config->ca_file && access(config->ca_file, R_OK) != 0) {
        client_error_set(error, MOULT_D_CLI_FILE_READ, config->ca_file, strerror(errno));
        error->status = MOULT_E_TLS;
        return error->status;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        client_error_set(error, MOULT_D_CLI_REPLY, "libcurl to start", "a failure");
        error->status = MOULT_E_INTERNAL;
        return error->status;
    }
    struct client *client = client_mem_alloc(sizeof *client);
    if (!client || start(client, config) != MOULT_OK) {
        out_of_memory(error);
        client_close(client);
        return MOULT_E_NOMEM;
    }
    *out = client;
    return MOULT_OK;
}

void client_close(struct client *client)
{
    if (!client) { return; }
    curl_easy_cleanup(client->curl);
    client_mem_free(client->server);
    client_mem_free(client->token);
    client_mem_free(client->ca_file);
    client_mem_free(client);
}

const char *client_server(const struct client *client)
{
    return client->server;
}

/* --- callbacks of libcurl --- */

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct transfer *transfer = context;
    size *= one;
    if (size > CLIENT_REPLY_MAX - transfer->body_size) {
        transfer->is_over_limit = true;
        return 0;
    }
    size_t need = transfer->body_size + size + 1;
    if (need > transfer->body_room) {
        size_t room = transfer->body_room * 2 > need ? transfer->body_room * 2 : need;
        uint8_t *larger = client_mem_resize(transfer->body, room);
        if (!larger) {
            transfer->is_out_of_memory = true;
            return 0;
        }
        transfer->body = larger;
        transfer->body_room = room;
    }
    memcpy(transfer->body + transfer->body_size, data, size);
    transfer->body_size += size;
    transfer->body[transfer->body_size] = 0;
    return size;
}

static bool header_is(const char *line, size_t size, const char *name, const char **value)
{
    size_t name_size = strlen(name);
    if (size <= name_size || strncasecmp(line, name, name_size) != 0) { return false; }
    const char *p = line + name_size;
    while (p < line + size && (*p == ' ' || *p == '\t')) {
        p++;
    }
    *value = p;
    return true;
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    struct transfer *transfer = context;
    const char *value = NULL;
    size *= one;
    size_t end = size;
    while (end > 0 && (line[end - 1] == '\r' || line[end - 1] == '\n')) {
        end--;
    }
    if (header_is(line, end, "ETag:", &value)) {
        size_t length = (size_t)(line + end - value);
        if (length < sizeof transfer->etag) {
            memcpy(transfer->etag, value, length);
            transfer->etag[length] = '\0';
        }
    } else if (header_is(line, end, "Retry-After:", &value)) {
        uint64_t seconds = 0;
        for (; value < line + end && *value >= '0' && *value <= '9' && seconds < 100000;
             value++) {
            seconds = seconds * 10 + (uint64_t)(*value - '0');
        }
        transfer->retry_after_s = seconds;
    }
    return size;
}

static size_t on_send(char *buffer, size_t one, size_t room, void *context)
{
    struct transfer *transfer = context;
    size_t left = transfer->send_size - transfer->sent;
    size_t size = left < one * room ? left : one * room;
    if (size > 0) { memcpy(buffer, transfer->send + transfer->sent, size); }
    transfer->sent += size;
    return size;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->send_size) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    transfer->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down,
                       curl_off_t up_total, curl_off_t up)
{
    struct transfer *transfer = context;
    if (down_total >= 0 && down >= 0 && up_total >= 0 && up >= 0) {
        transfer->request->progress(transfer->request->context, (uint64_t)up,
                                    transfer->send_size);
    }
    return 0;
}

/* --- one try --- */

static bool add_header(struct transfer *transfer, const char *name, const char *value)
{
    char *line = client_mem_print("%s: %s", name, value);
    struct curl_slist *longer = line ? curl_slist_append(transfer->headers, line) : NULL;
    client_mem_free(line);
    if (!longer) { return false; }
    transfer->headers = longer;
    return true;
}

static bool add_headers(const struct client *client, struct transfer *transfer,
                        const char *key)
{
    const struct client_request *request = transfer->request;
    bool ok =
        add_header(transfer, "Accept", "application/json, application/problem+json, */*");
    if (!ok) { return false; }
    /* The wait for "100 Continue" would cost a second per upload. */
    struct curl_slist *longer = curl_slist_append(transfer->headers, "Expect:");
    if (!longer) { return false; }
    transfer->headers = longer;
    if (client->token) {
        char *bearer = client_mem_print("Bearer %s", client->token);
        ok = bearer && add_header(transfer, "Authorization", bearer);
        client_mem_free(bearer);
    }
    if (transfer->send) {
        ok = ok && add_header(transfer, "Content-Type",
                              request->type ? request->type : "application/json");
    }
    if (request->if_match) {
        ok = ok && add_header(transfer, "If-Match", request->if_match);
    }
    if (key) { ok = ok && add_header(transfer, "Idempotency-Key", key); }
    return ok;
}

/* These take constants and pointers that outlive the call. They fail only with a libcurl
 * that was built without TLS, and then the request says so. */
#define SET(option, value)                                                                 \
    (void)curl_easy_setopt(client->curl, CURLOPT_##option, (value)) /* see above */

static void set_common(const struct client *client, struct transfer *transfer,
                       const char *url)
{
    curl_easy_reset(client->curl); /* keeps the connection */
    SET(URL, url);
    SET(PROTOCOLS_STR, "https");
    SET(FOLLOWLOCATION, 0L);
    SET(NOSIGNAL, 1L);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(USERAGENT, "moult/1");
    SET(CONNECTTIMEOUT_MS, (long)CLIENT_CONNECT_TIMEOUT_MS);
    SET(LOW_SPEED_LIMIT, 1L);
    SET(LOW_SPEED_TIME, (long)CLIENT_STALL_TIMEOUT_S);
    SET(ERRORBUFFER, transfer->curl_words);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, transfer);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, transfer);
    SET(HTTPHEADER, transfer->headers);
    if (client->ca_file) { SET(CAINFO, client->ca_file); }
}

static void set_body(const struct client *client, struct transfer *transfer)
{
    if (strcmp(transfer->request->method, "GET") == 0) {
        SET(HTTPGET, 1L);
    } else {
        SET(UPLOAD, 1L);
        SET(CUSTOMREQUEST, transfer->request->method);
        SET(INFILESIZE_LARGE, (curl_off_t)transfer->send_size);
        SET(READFUNCTION, on_send);
        SET(READDATA, transfer);
        SET(SEEKFUNCTION, on_seek);
        SET(SEEKDATA, transfer);
    }
    if (transfer->request->progress) {
        SET(XFERINFOFUNCTION, on_progress);
        SET(XFERINFODATA, transfer);
        SET(NOPROGRESS, 0L);
    } else {
        SET(TIMEOUT_MS, (long)CLIENT_CALL_TIMEOUT_MS);
    }
}

static enum moult_status failed_to_talk(const struct client *client,
                                        struct transfer *transfer, CURLcode code,
                                        struct client_error *error)
{
    const char *words =
        transfer->curl_words[0] != '\0' ? transfer->curl_words : curl_easy_strerror(code);
    if (transfer->is_out_of_memory || code == CURLE_OUT_OF_MEMORY) {
        out_of_memory(error);
    } else if (transfer->is_over_limit) {
        client_error_set(error, MOULT_D_CLI_REPLY, "a body of at most 8 MiB", "more");
        error->status = MOULT_E_RANGE;
    } else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
               code == CURLE_SSL_ISSUER_ERROR) {
        client_error_set(error, MOULT_D_CLI_TLS, client->server, words);
    } else {
        client_error_set(error, MOULT_D_CLI_UNREACHABLE, client->server, words);
        if (code == CURLE_OPERATION_TIMEDOUT) { error->status = MOULT_E_TIMEOUT; }
    }
    return error->status;
}

static enum moult_status try_once(const struct client *client, struct transfer *transfer,
                                  const char *url, const char *key, int *http,
                                  struct client_error *error)
{
    *http = 0;
    if (!add_headers(client, transfer, key)) {
        out_of_memory(error);
        return MOULT_E_NOMEM;
    }
    set_common(client, transfer, url);
    set_body(client, transfer);
    CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK) { return failed_to_talk(client, transfer, code, error); }
    long status = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE,
                            &status); /* a known option */
    *http = (int)status;
    return MOULT_OK;
}

/* What a try leaves behind, so that the next one starts afresh. */
static void end_try(struct transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    client_mem_free(transfer->body);
    *transfer = (struct transfer){
        .request = transfer->request,
        .send = transfer->send,
        .send_size = transfer->send_size,
        .retry_after_s = transfer->retry_after_s,
    };
}

/* --- a call with its retries --- */

static uint32_t chance(void)
{
    uint32_t value = 0;
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) {
        value = (uint32_t)time(NULL); /* only spreads retries: a poor number will do */
    }
    return value;
}

static void pause_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

static bool is_worth_retrying(enum moult_status st, int http)
{
    if (st == MOULT_E_NET || st == MOULT_E_TIMEOUT) { return true; }
    return st == MOULT_OK && (http == 429 || http == 502 || http == 503 || http == 504);
}

static bool idempotency_key(const struct client_request *request, char key[33])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t bytes[16];
    if (strcmp(request->method, "POST") != 0) { return false; }
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) { return false; }
    for (size_t i = 0; i < sizeof bytes; i++) {
        key[2 * i] = digit[bytes[i] >> 4];
        key[2 * i + 1] = digit[bytes[i] & 15u];
    }
    key[32] = '\0';
    return true;
}

static void move_to_reply(struct transfer *transfer, int http, struct client_reply *reply)
{
    reply->http = http;
    reply->bytes = transfer->body;
    reply->size = transfer->body_size;
    memcpy(reply->etag, transfer->etag, sizeof reply->etag);
    transfer->body = NULL;
    if (reply->size > 0 && (reply->bytes[0] == '{' || reply->bytes[0] == '[')) {
        reply->json = json_loadb((const char *)reply->bytes, reply->size,
                                 JSON_REJECT_DUPLICATES, NULL);
    }
}

/* The tries; on MOULT_OK reply holds the last answer, whatever its HTTP status. */
static enum moult_status run_tries(struct client *client, struct transfer *transfer,
                                   const char *url, struct client_reply *reply,
                                   struct client_error *error)
{
    char key[33];
    bool has_key = idempotency_key(transfer->request, key);
    bool may_repeat = has_key || strcmp(transfer->request->method, "POST") != 0;
    enum moult_status st = MOULT_OK;
    for (unsigned try = 1;; try++) {
        int http = 0;
        st = try_once(client, transfer, url, has_key ? key : NULL, &http, error);
        bool again = may_repeat && try < client->tries && is_worth_retrying(st, http);
        if (!again && st == MOULT_OK) { move_to_reply(transfer, http, reply); }
        end_try(transfer);
        if (!again) { return st; }
        pause_ms(client_pause_ms(try, chance(), transfer->retry_after_s));
        transfer->retry_after_s = 0;
    }
}

static enum moult_status call(struct client *client, struct transfer *transfer,
                              const char *url, struct client_reply *reply,
                              struct client_error *error)
{
    enum moult_status st = run_tries(client, transfer, url, reply, error);
    if (st != MOULT_OK) { return st; }
    if (reply->http >= 200 && reply->http <= 299) { return MOULT_OK; }
    client_error_from_reply(error, reply->http, reply->json);
    client_reply_free(reply);
    return error->status != MOULT_OK ? error->status : MOULT_E_HTTP;
}

enum moult_status client_call(struct client *client, const struct client_request *request,
                              struct client_reply *reply, struct client_error *error)
{
    *reply = (struct client_reply){0};
    *error = (struct client_error){0};
    struct transfer transfer = {
        .request = request, .send = request->bytes, .send_size = request->size};
    enum moult_status st = MOULT_E_NOMEM;
    char *text = NULL;
    char *url = client_url(client->server, request->path, request->query);
    if (!url) {
        client_error_set(error, MOULT_D_CLI_USAGE, "a URL of at most 8192 bytes",
                         request->path);
        goto out;
    }
    if (request->json) {
        text = json_dumps(request->json, JSON_COMPACT);
        if (!text) {
            out_of_memory(error);
            goto out_url;
        }
        transfer.send = (const uint8_t *)text;
        transfer.send_size = strlen(text);
    }
    st = call(client, &transfer, url, reply, error);
    client_mem_free(
        text); /* client_mem_serve_json() or libc: the same allocator either way */
out_url:
    client_mem_free(url);
out:
    return st;
}

void client_reply_free(struct client_reply *reply)
{
    json_decref(reply->json);
    client_mem_free(reply->bytes);
    *reply = (struct client_reply){0};
}

static enum moult_status call_for_json(struct client *client,
                                       const struct client_request *request, json_t **json,
                                       struct client_error *error)
{
    struct client_reply reply;
    *json = NULL;
    enum moult_status st = client_call(client, request, &reply, error);
    if (st != MOULT_OK) { return st; }
    if (!json_is_object(reply.json)) {
        client_error_set(error, MOULT_D_CLI_REPLY, "a JSON object",
                         reply.size > 0 ? "something else" : "an empty body");
        error->http = reply.http;
        st = MOULT_E_FORMAT;
    } else {
        *json = json_incref(reply.json);
    }
    client_reply_free(&reply);
    return st;
}

enum moult_status client_get(struct client *client, const char *path,
                             const struct client_pair *query, json_t **json,
                             struct client_error *error)
{
    struct client_request request = {.method = "GET", .path = path, .query = query};
    return call_for_json(client, &request, json, error);
}

enum moult_status client_post(struct client *client, const char *path,
                              const struct client_pair *query, const json_t *body,
                              json_t **json, struct client_error *error)
{
    static const char empty[] = "{}";
    struct client_request request = {.method = "POST", .path = path, .query = query};
    request.json = body;
    if (!body) {
        request.bytes = empty;
        request.size = sizeof empty - 1;
    }
    return call_for_json(client, &request, json, error);
}
