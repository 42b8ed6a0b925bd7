/* cut_proxy.h - a TCP proxy that cuts each connection after a drawn number of bytes, by
 * reset or by an end that looks orderly.
 *
 * Use it   struct cut_proxy *proxy = cut_proxy_start(&config); ... cut_proxy_stop(proxy);
 *          Clients connect to cut_proxy_port(). Every function asserts.
 */
#ifndef MOULT_TESTS_SUPPORT_CUT_PROXY_H
#define MOULT_TESTS_SUPPORT_CUT_PROXY_H

#include <stdint.h>

struct cut_proxy_config {
    uint16_t listen_port; /* 0: any free one */
    uint16_t target_port; /* on 127.0.0.1 */
    uint32_t
        bytes_min; /* a connection lives for bytes_min..bytes_max bytes, both ways added */
    uint32_t bytes_max;
    uint64_t seed;
    uint32_t cut_count; /* cut so many connections, then let all through; 0: for ever */
};

struct cut_proxy;
struct cut_proxy *cut_proxy_start(const struct cut_proxy_config *config);
void cut_proxy_stop(struct cut_proxy *proxy);
uint16_t cut_proxy_port(const struct cut_proxy *proxy);
uint32_t cut_proxy_cuts(struct cut_proxy *proxy); /* connections cut so far */

#endif
