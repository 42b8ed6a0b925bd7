/* fuzz_url.c - URLs of assignments reach the device from outside: whatever is taken can be
 * printed again and is then taken the same way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ports/posix/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
    if (!claim) { abort(); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512], again[1024];
    struct moult_url url, second;
    if (size >= sizeof text) { return 0; }
    memcpy(text, data, size);
    text[size] = 0;
    if (moult_host_parse(text, &url) == MOULT_OK) { must(url.host[0] && *url.path == 0); }
    if (moult_url_parse(text, &url) != MOULT_OK) { return 0; }
    must(strlen(url.host) > 0 && strlen(url.host) < MOULT_URL_HOST_SIZE && url.port > 0);
    must(url.path >= text && url.path <= text + size);
    snprintf(again, sizeof again, url.is_ipv6 ? "https://[%s]:%u%s" : "https://%s:%u%s",
             url.host, (unsigned)url.port, url.path);
    must(moult_url_parse(again, &second) == MOULT_OK);
    must(strcmp(url.host, second.host) == 0 && strcmp(url.path, second.path) == 0);
    must(url.port == second.port && url.is_ipv6 == second.is_ipv6);
    return 0;
}
