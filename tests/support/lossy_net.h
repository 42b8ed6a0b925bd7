/* lossy_net.h - a network that loses, doubles and mixes up what passes, by a seed.
 *
 * Use it   struct lossy_net net = {.seed = 7, .lost_percent = 30};
 *          lossy_net_plug(&w, &net);
 *          It stands between the world's engine and its server, which stays good.
 *
 * Each request, each reply and each body is lost by itself with lost_percent: a request
 * that the server never sees, a reply that never comes back (what it changed at the server
 * stays), a body that ends at some byte. Lost is, by turns, a reset, silence until the
 * time-out, or an orderly end.
 */
#ifndef MOULT_TESTS_SUPPORT_LOSSY_NET_H
#define MOULT_TESTS_SUPPORT_LOSSY_NET_H

#include "tests/support/update_world.h"

enum { LOSSY_REPLIES = 4 }; /* earlier answers to check-ins that may come again */

struct lossy_net {
    uint64_t seed; /* changes with every draw */
    unsigned lost_percent;
    unsigned stale_percent;  /* check-ins answered with the reply to an earlier one */
    unsigned double_percent; /* requests that arrive twice; the later answer comes back */

    unsigned requests, bytes; /* sent; of all bodies received */
    unsigned lost_requests, lost_replies, lost_bodies, stale, doubled;

    bool is_lost; /* what is under way */
    enum { LOST_NOTHING, LOST_RESET, LOST_SILENT, LOST_SHORT } how;
    uint32_t left; /* bytes of body before it is lost */
    uint64_t silent_ms;
    struct {
        uint8_t data[MOULT_REPLY_SIZE_MAX];
        uint32_t size;
    } replies[LOSSY_REPLIES];
    unsigned reply_count;
};

void lossy_net_plug(struct world *w, struct lossy_net *net);

/* Uniform in [0, bound). */
uint32_t lossy_net_draw(struct lossy_net *net, uint32_t bound);

#endif
