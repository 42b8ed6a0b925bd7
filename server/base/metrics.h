/* metrics.h - counters, gauges and histograms for Prometheus.
 *
 * Layer    server/base.
 * Memory   series live as long as the registry; at most METRICS_SERIES_MAX, then further
 *          label values of a family share its series "other". Never a device id as a
 *          label. Threads adding, setting and observing are lock-free from any thread.
 *          Looking a series up takes a lock: do it once and keep the pointer, or off the
 *          hot path.
 * Use it   m = metrics_create(); c = metrics_counter(m, &(struct metrics_name){...});
 *          metrics_add(c, 1); metrics_render(m, &buffer).
 */
#ifndef MOULT_SERVER_BASE_METRICS_H
#define MOULT_SERVER_BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/buffer.h"

#define METRICS_SERIES_MAX 2048u       /* all families together */
#define METRICS_FAMILY_SERIES_MAX 256u /* of one family */
#define METRICS_LABELS_MAX 4u
#define METRICS_LABEL_SIZE_MAX 64u /* bytes of a label value; longer ones are "other" */
#define METRICS_BUCKETS_MAX 16u

struct metrics;

struct metric {
    _Atomic int64_t value; /* counter or gauge */
};

/* Bucket bounds in microseconds, rising; rendered as seconds. */
struct metrics_histogram {
    _Atomic uint64_t bucket[METRICS_BUCKETS_MAX + 1]; /* the last: above all bounds */
    _Atomic uint64_t sum_us;
    const uint64_t *bounds_us; /* static */
    size_t bound_count;
};

/* Which series: all static but label values, which are copied. */
struct metrics_name {
    const char *name;                      /* "moult_http_requests_total" */
    const char *help;                      /* one sentence */
    const char *label[METRICS_LABELS_MAX]; /* label names; unused ones NULL */
    const char *value[METRICS_LABELS_MAX]; /* their values */
};

/* MOULT_OK is a non-NULL registry, moved. NULL: no memory. */
MOULT_MUST_CHECK struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

/* The series of that name and labels, made when new. Borrowed until metrics_destroy().
 * Never NULL: where limits or memory forbid a new series, a spare one that is counted in
 * moult_metrics_dropped_series. */
struct metric *metrics_counter(struct metrics *metrics, const struct metrics_name *name);
struct metric *metrics_gauge(struct metrics *metrics, const struct metrics_name *name);
struct metrics_histogram *metrics_histogram(struct metrics *metrics,
                                            const struct metrics_name *name,
                                            const uint64_t *bounds_us, size_t bound_count);

static inline void metrics_add(struct metric *metric, int64_t value)
{
    atomic_fetch_add_explicit(&metric->value, value, memory_order_relaxed);
}
static inline void metrics_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}
static inline int64_t metrics_get(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}
void metrics_observe_us(struct metrics_histogram *histogram, uint64_t us);

/* A function called before each rendering, to set gauges that are computed (devices by
 * state). At most 8 of them; false: too many. context is borrowed until destroy. */
MOULT_MUST_CHECK bool metrics_before_render(struct metrics *metrics,
                                            void (*collect)(void *context), void *context);

/* Everything in the text format 0.0.4, families sorted by name. Sets out->failed when it
 * does not fit. */
void metrics_render(struct metrics *metrics, struct buffer *out);

#endif
