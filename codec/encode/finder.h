/* finder.h - places that look like the bytes at a position of the result.
 *
 * Layer    codec/encode, private to it.
 * Memory   arrays of struct moult_work.
 * Use it   ask for positions in ascending order; each is remembered for later ones.
 */
#ifndef MOULT_CODEC_ENCODE_FINDER_H
#define MOULT_CODEC_ENCODE_FINDER_H

#include "codec/encode/work.h"

enum { MOULT_FINDER_NEAR = 2, MOULT_FINDER_FOUND = 320 };

struct moult_finder {
    struct moult_work *w;
    uint32_t known;                    /* positions below are remembered */
    int32_t *head, *chain;             /* by four bytes */
    int32_t *moved_head, *moved_chain; /* by four bytes with absolute targets */
    int32_t *three;                    /* by three bytes: the newest */
    uint8_t *absolute;                 /* the result with relative targets made absolute */
};

/* A match: all sizes from least to size are worth a look at this distance. */
struct moult_found {
    uint32_t least, size, distance;
    bool is_moved;
};

/* Status is in w. */
void moult_finder_init(struct moult_finder *f, struct moult_work *w);

/* The best places of the base for [at, at + room), those near last_old first. */
unsigned moult_finder_near(const struct moult_finder *f, uint32_t at, uint32_t room,
                           uint32_t last_old, uint32_t near[MOULT_FINDER_NEAR]);

/* Matches in the result before `at`. */
unsigned moult_finder_find(struct moult_finder *f, uint32_t at, uint32_t room,
                           struct moult_found found[MOULT_FINDER_FOUND]);

#endif
