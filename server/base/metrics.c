/* metrics.c - see metrics.h. Families sorted by name, series in order of birth. */
#include "server/base/metrics.h"
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "server/base/mem.h"

enum { COLLECTORS_MAX = 8 };
enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

struct series {
    struct series *next;
    struct metric metric;
    struct metrics_histogram histogram; /* KIND_HISTOGRAM only */
    char value[METRICS_LABELS_MAX][METRICS_LABEL_SIZE_MAX];
};

struct family {
    struct family *next;
    const char *name, *help;
    enum kind kind;
    const char *label[METRICS_LABELS_MAX];
    size_t label_count;
    struct series *first, **last;
    size_t series_count;
};

struct metrics {
    pthread_mutex_t lock; /* the lists; values are atomic */
    struct family *first;
    size_t series_count;
    struct metric dropped; /* series that were refused */
    struct metric spare;   /* what refused series get */
    struct metrics_histogram spare_histogram;
    struct {
        void (*collect)(void *context);
        void *context;
    } collector[COLLECTORS_MAX];
    size_t collector_count;
};

struct metrics *metrics_create(void)
{
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    if (!metrics) { return NULL; }
    if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
        mem_free(metrics);
        return NULL;
    }
    return metrics;
}

static void destroy_family(struct family *family)
{
    while (family->first) {
        struct series *series = family->first;
        family->first = series->next;
        mem_free(series);
    }
    mem_free(family);
}

void metrics_destroy(struct metrics *metrics)
{
    if (!metrics) { return; }
    while (metrics->first) {
        struct family *family = metrics->first;
        metrics->first = family->next;
        destroy_family(family);
    }
    pthread_mutex_destroy(&metrics->lock);
    mem_free(metrics);
}

/* The family of that name, made when new, in its place. NULL: no memory. */
static struct family *find_family(struct metrics *metrics, const struct metrics_name *name,
                                  enum kind kind)
{
    struct family **place = &metrics->first;
    int order = -1;
    while (*place && (order = strcmp((*place)->name, name->name)) < 0) {
        place = &(*place)->next;
    }
    if (*place && order == 0) {
        assert((*place)->kind == kind); /* one name, two kinds: a bug */
        return *place;
    }
    struct family *family = mem_alloc(sizeof *family);
    if (!family) { return NULL; }
    family->name = name->name;
    family->help = name->help;
    family->kind = kind;
    while (family->label_count < METRICS_LABELS_MAX && name->label[family->label_count]) {
        family->label[family->label_count] = name->label[family->label_count];
        family->label_count++;
    }
    family->last = &family->first;
    family->next = *place;
    *place = family;
    return family;
}

static const char *label_value(const struct metrics_name *name, size_t index)
{
    const char *value = name->value[index] ? name->value[index] : "";
    return strlen(value) < METRICS_LABEL_SIZE_MAX ? value : "other";
}

static struct series *find_series(const struct family *family,
                                  const struct metrics_name *name)
{
    for (struct series *s = family->first; s; s = s->next) {
        size_t same = 0;
        while (same < family->label_count &&
               strcmp(s->value[same], label_value(name, same)) == 0) {
            same++;
        }
        if (same == family->label_count) { return s; }
    }
    return NULL;
}

static struct series *add_series(struct metrics *metrics, struct family *family,
                                 const struct metrics_name *name)
{
    if (metrics->series_count == METRICS_SERIES_MAX) { return NULL; }
    struct series *series = mem_alloc(sizeof *series);
    if (!series) { return NULL; }
    for (size_t i = 0; i < family->label_count; i++) {
        snprintf(series->value[i], METRICS_LABEL_SIZE_MAX, "%s", label_value(name, i));
    }
    *family->last = series;
    family->last = &series->next;
    family->series_count++;
    metrics->series_count++;
    return series;
}

/* The series with every label "other", which a full family shares. */
static struct metrics_name overflow_name(const struct family *family,
                                         const struct metrics_name *name)
{
    struct metrics_name other = *name;
    for (size_t i = 0; i < family->label_count; i++) {
        other.value[i] = "other";
    }
    return other;
}

static struct series *get_series(struct metrics *metrics, const struct metrics_name *name,
                                 enum kind kind)
{
    struct family *family = find_family(metrics, name, kind);
    if (!family) { return NULL; }
    struct series *series = find_series(family, name);
    if (series) { return series; }
    if (family->series_count < METRICS_FAMILY_SERIES_MAX - 1) {
        return add_series(metrics, family, name);
    }
    metrics_add(&metrics->dropped, 1);
    struct metrics_name other = overflow_name(family, name);
    series = find_series(family, &other);
    return series ? series : add_series(metrics, family, &other);
}

static struct metric *get_metric(struct metrics *metrics, const struct metrics_name *name,
                                 enum kind kind)
{
    pthread_mutex_lock(&metrics->lock);
    struct series *series = get_series(metrics, name, kind);
    pthread_mutex_unlock(&metrics->lock);
    if (series) { return &series->metric; }
    metrics_add(&metrics->dropped, 1);
    return &metrics->spare;
}

struct metric *metrics_counter(struct metrics *metrics, const struct metrics_name *name)
{
    return get_metric(metrics, name, KIND_COUNTER);
}

struct metric *metrics_gauge(struct metrics *metrics, const struct metrics_name *name)
{
    return get_metric(metrics, name, KIND_GAUGE);
}

struct metrics_histogram *metrics_histogram(struct metrics *metrics,
                                            const struct metrics_name *name,
                                            const uint64_t *bounds_us, size_t bound_count)
{
    assert(bound_count <= METRICS_BUCKETS_MAX);
    pthread_mutex_lock(&metrics->lock);
    struct series *series = get_series(metrics, name, KIND_HISTOGRAM);
    if (series && !series->histogram.bounds_us) {
        series->histogram.bounds_us = bounds_us;
        series->histogram.bound_count = bound_count;
    }
    pthread_mutex_unlock(&metrics->lock);
    if (series) { return &series->histogram; }
    metrics_add(&metrics->dropped, 1);
    return &metrics->spare_histogram;
}

void metrics_observe_us(struct metrics_histogram *histogram, uint64_t us)
{
    size_t i = 0;
    while (i < histogram->bound_count && us > histogram->bounds_us[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&histogram->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, us, memory_order_relaxed);
}

bool metrics_before_render(struct metrics *metrics, void (*collect)(void *context),
                           void *context)
{
    pthread_mutex_lock(&metrics->lock);
    bool fits = metrics->collector_count < COLLECTORS_MAX;
    if (fits) {
        metrics->collector[metrics->collector_count].collect = collect;
        metrics->collector[metrics->collector_count].context = context;
        metrics->collector_count++;
    }
    pthread_mutex_unlock(&metrics->lock);
    return fits;
}

/* --- rendering --- */

static void render_label_value(struct buffer *out, const char *value)
{
    buffer_append(out, "\"", 1);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\n') {
            buffer_append(out, "\\n", 2);
            continue;
        }
        if (*p == '"' || *p == '\\') { buffer_append(out, "\\", 1); }
        buffer_append(out, p, 1);
    }
    buffer_append(out, "\"", 1);
}

/* {a="x",le="0.1"}; nothing when there is no label and no le. */
static void render_labels(struct buffer *out, const struct family *family,
                          const struct series *series, const char *le)
{
    if (family->label_count == 0 && !le) { return; }
    buffer_append(out, "{", 1);
    for (size_t i = 0; i < family->label_count; i++) {
        if (i > 0) { buffer_append(out, ",", 1); }
        buffer_text(out, family->label[i]);
        buffer_append(out, "=", 1);
        render_label_value(out, series->value[i]);
    }
    if (le) {
        if (family->label_count > 0) { buffer_append(out, ",", 1); }
        buffer_printf(out, "le=\"%s\"", le);
    }
    buffer_append(out, "}", 1);
}

static void render_seconds(char text[32], uint64_t us)
{
    snprintf(text, 32, "%llu.%06llu", (unsigned long long)(us / 1000000u),
             (unsigned long long)(us % 1000000u));
    size_t size = strlen(text);
    while (text[size - 1] == '0' && text[size - 2] != '.') {
        text[--size] = '\0';
    }
}

static void render_histogram(struct buffer *out, const struct family *family,
                             struct series *series)
{
    struct metrics_histogram *h = &series->histogram;
    uint64_t count = 0;
    char text[32];
    for (size_t i = 0; i <= h->bound_count; i++) {
        count += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        if (i < h->bound_count) { render_seconds(text, h->bounds_us[i]); }
        buffer_printf(out, "%s_bucket", family->name);
        render_labels(out, family, series, i < h->bound_count ? text : "+Inf");
        buffer_printf(out, " %llu\n", (unsigned long long)count);
    }
    render_seconds(text, atomic_load_explicit(&h->sum_us, memory_order_relaxed));
    buffer_printf(out, "%s_sum", family->name);
    render_labels(out, family, series, NULL);
    buffer_printf(out, " %s\n%s_count", text, family->name);
    render_labels(out, family, series, NULL);
    buffer_printf(out, " %llu\n", (unsigned long long)count);
}

static void render_family(struct buffer *out, const struct family *family)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                  family->name, kinds[family->kind]);
    for (struct series *s = family->first; s; s = s->next) {
        if (family->kind == KIND_HISTOGRAM) {
            render_histogram(out, family, s);
            continue;
        }
        buffer_text(out, family->name);
        render_labels(out, family, s, NULL);
        buffer_printf(out, " %lld\n", (long long)metrics_get(&s->metric));
    }
}

void metrics_render(struct metrics *metrics, struct buffer *out)
{
    for (size_t i = 0; i < metrics->collector_count;
         i++) { /* set up before threads start */
        metrics->collector[i].collect(metrics->collector[i].context);
    }
    pthread_mutex_lock(&metrics->lock);
    for (const struct family *f = metrics->first; f; f = f->next) {
        render_family(out, f);
    }
    pthread_mutex_unlock(&metrics->lock);
    buffer_printf(out,
                  "# HELP moult_metrics_dropped_series Lookups refused by a limit.\n"
                  "# TYPE moult_metrics_dropped_series counter\n"
                  "moult_metrics_dropped_series %lld\n",
                  (long long)metrics_get(&metrics->dropped));
}
