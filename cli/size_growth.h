/* size_growth.h - how an image grows from release to release, and how far that is known.
 *
 * Layer    cli: pure, no I/O.
 * Memory   the caller's; a fit needs GROWTH_WORK_MAX numbers of work.
 * Use it   growth_fit() over the sizes, oldest first; then growth_left() with the room that
 *          is left, for the likely slope and for both ends of what it may be.
 *
 * The slope is Theil and Sen's: the median of the slopes of all pairs, which a single odd
 * release does not move. A step that stays (a new library) does, and widens the bounds, so
 * the largest step is told as well. The bounds (90 %) are Sen's, from Kendall's variance
 * without ties. A size history is short and no random sample: they say how scattered the
 * past was, not how sure the future is.
 */
#ifndef MOULT_CLI_SIZE_GROWTH_H
#define MOULT_CLI_SIZE_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#define GROWTH_LEAST 5u  /* releases: with fewer, Sen's bounds do not exist */
#define GROWTH_MOST 256u /* releases that are looked at: the newest ones */
#define GROWTH_WORK_MAX (GROWTH_MOST * (GROWTH_MOST - 1u) / 2u)
#define GROWTH_REACH 3u /* releases are counted up to so many times the history's length */

struct growth {
    uint32_t count;         /* releases looked at */
    bool is_known;          /* count >= GROWTH_LEAST; the slopes mean something */
    double slope;           /* bytes per release; may be negative */
    double low, high;       /* it lies between them, 90 % */
    int64_t largest_step;   /* bytes, from one release to the next; meaningful from 2 on */
    uint32_t largest_after; /* index of the release before that step */
};

/* sizes: count of them, oldest first; more than GROWTH_MOST: the newest are taken, and
 * largest_after counts from the first of those. work: GROWTH_WORK_MAX. */
void growth_fit(const uint32_t *sizes, uint32_t count, double *work, struct growth *out);

/* How many more releases fit into `room` bytes at that slope, at most `most`: `most` also
 * when the image does not grow. */
uint32_t growth_left(double slope, uint32_t room, uint32_t most);

#endif
