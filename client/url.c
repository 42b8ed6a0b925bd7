/* url.c - see url.h. */
#include "client/url.h"

#include <string.h>

#include "client/mem.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

char *client_escape(const char *text)
{
    static const char digit[] = "0123456789ABCDEF";
    char *out = client_mem_alloc(3 * strlen(text) + 1);
    if (!out) { return NULL; }
    char *p = out;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_unreserved(c)) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = digit[c >> 4];
            *p++ = digit[c & 15u];
        }
    }
    *p = '\0';
    return out;
}

bool client_server_is_valid(const char *server)
{
    static const char scheme[] = "https://";
    size_t size = sizeof scheme - 1;
    if (strncmp(server, scheme, size) != 0) { return false; }
    const char *host = server + size;
    size_t host_size = strcspn(host, "/?#@ \\");
    if (host_size == 0 || host_size > 300) { return false; }
    return host[host_size] == '\0' || strcmp(host + host_size, "/") == 0;
}

/* Adds "?name=value" or "&name=value"; moves *url. */
static bool add_pair(char **url, char separator, const struct client_pair *pair)
{
    char *value = client_escape(pair->value);
    char *longer =
        value ? client_mem_print("%s%c%s=%s", *url, separator, pair->name, value) : NULL;
    client_mem_free(value);
    if (!longer) { return false; }
    client_mem_free(*url);
    *url = longer;
    return true;
}

char *client_url(const char *server, const char *path, const struct client_pair *query)
{
    size_t size = strlen(server);
    if (size > 0 && server[size - 1] == '/') { size--; }
    if (size + strlen(path) > CLIENT_URL_MAX) { return NULL; }
    char *url = client_mem_print("%.*s/api/v1%s", (int)size, server, path);
    char separator = '?';
    for (; url && query && query->name; query++) {
        if (!query->value) { continue; }
        if (!add_pair(&url, separator, query)) { goto bad; }
        separator = '&';
    }
    if (url && strlen(url) <= CLIENT_URL_MAX) { return url; }
bad:
    client_mem_free(url);
    return NULL;
}

uint32_t client_pause_ms(unsigned tries, uint32_t chance, uint64_t retry_after_s)
{
    uint64_t pause = CLIENT_PAUSE_FIRST_MS;
    for (unsigned i = 1; i < tries && pause < CLIENT_PAUSE_MAX_MS; i++) {
        pause *= 2;
    }
    pause = pause / 2 + (uint64_t)chance % pause; /* 0.5 to 1.5 times */
    if (retry_after_s > CLIENT_PAUSE_MAX_MS / 1000) { return CLIENT_PAUSE_MAX_MS; }
    if (pause < retry_after_s * 1000) { pause = retry_after_s * 1000; }
    return (uint32_t)(pause > CLIENT_PAUSE_MAX_MS ? CLIENT_PAUSE_MAX_MS : pause);
}
