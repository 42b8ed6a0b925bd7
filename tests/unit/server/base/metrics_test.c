/* metrics_test.c - the text that Prometheus reads, limits, and counting from many threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "server/base/mem.h"
#include "server/base/metrics.h"
#include "tests/support/unit.h"

static const uint64_t bounds[] = {1000, 250000, 1000000};

static char *rendered(struct metrics *metrics, struct buffer *out)
{
    buffer_init(out, 1u << 20);
    metrics_render(metrics, out);
    buffer_append(out, "", 1);
    assert_false(out->failed);
    return (char *)out->data;
}

static void test_the_text_is_prometheus_text(void **state)
{
    (void)state; /* cmocka's signature */
    struct metrics *m = metrics_create();
    struct metric *ok = metrics_counter(
        m, &(struct metrics_name){
               "moult_b_total", "Things.", {"product", "result"}, {"me\"t\\er\n", "ok"}});
    metrics_add(ok, 3);
    metrics_set(
        metrics_gauge(m, &(struct metrics_name){.name = "moult_c", .help = "A level."}),
        -7);
    struct metrics_histogram *h = metrics_histogram(
        m, &(struct metrics_name){.name = "moult_a_seconds", .help = "Times."}, bounds, 3);
    metrics_observe_us(h, 1000);
    metrics_observe_us(h, 1001);
    metrics_observe_us(h, 2500000);
    struct buffer out;
    assert_string_equal(rendered(m, &out),
                        "# HELP moult_a_seconds Times.\n"
                        "# TYPE moult_a_seconds histogram\n"
                        "moult_a_seconds_bucket{le=\"0.001\"} 1\n"
                        "moult_a_seconds_bucket{le=\"0.25\"} 2\n"
                        "moult_a_seconds_bucket{le=\"1.0\"} 2\n"
                        "moult_a_seconds_bucket{le=\"+Inf\"} 3\n"
                        "moult_a_seconds_sum 2.502001\n"
                        "moult_a_seconds_count 3\n"
                        "# HELP moult_b_total Things.\n"
                        "# TYPE moult_b_total counter\n"
                        "moult_b_total{product=\"me\\\"t\\\\er\\n\",result=\"ok\"} 3\n"
                        "# HELP moult_c A level.\n"
                        "# TYPE moult_c gauge\n"
                        "moult_c -7\n"
                        "# HELP moult_metrics_dropped_series Lookups refused by a limit.\n"
                        "# TYPE moult_metrics_dropped_series counter\n"
                        "moult_metrics_dropped_series 0\n");
    buffer_release(&out);
    metrics_destroy(m);
}

static void test_the_same_name_and_labels_are_the_same_series(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct metrics_name a = {"x_total", "X.", {"l"}, {"a"}},
                        b = {"x_total", "X.", {"l"}, {"b"}};
    assert_ptr_equal(metrics_counter(m, &a), metrics_counter(m, &a));
    assert_ptr_not_equal(metrics_counter(m, &a), metrics_counter(m, &b));
    metrics_destroy(m);
}

static void test_a_family_has_a_limit_and_the_rest_is_other(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    for (int i = 0; i < 1000; i++) {
        char value[16];
        snprintf(value, sizeof value, "v%d", i);
        metrics_add(
            metrics_counter(m, &(struct metrics_name){"x_total", "X.", {"l"}, {value}}), 1);
    }
    struct buffer out;
    char *text = rendered(m, &out);
    size_t lines = 0;
    for (char *p = text; (p = strstr(p, "x_total{")); p++) {
        lines++;
    }
    assert_int_equal(lines, METRICS_FAMILY_SERIES_MAX);
    assert_non_null(strstr(text, "x_total{l=\"other\"} 745\n")); /* 1000 - 255 */
    assert_non_null(strstr(text, "moult_metrics_dropped_series 745\n"));
    buffer_release(&out);
    metrics_destroy(m);
}

static void test_a_label_value_that_is_too_long_is_other(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    char value[100];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    metrics_add(metrics_gauge(m, &(struct metrics_name){"x", "X.", {"l"}, {value}}), 5);
    struct buffer out;
    assert_non_null(strstr(rendered(m, &out), "x{l=\"other\"} 5\n"));
    buffer_release(&out);
    metrics_destroy(m);
}

static void test_without_memory_a_spare_series_takes_the_value(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    mem_fail_at(1);
    struct metric *spare =
        metrics_counter(m, &(struct metrics_name){.name = "x", .help = "X."});
    mem_fail_at(0);
    metrics_add(spare, 1);
    struct buffer out;
    char *text = rendered(m, &out);
    assert_null(strstr(text, "# TYPE x "));
    assert_non_null(strstr(text, "moult_metrics_dropped_series 1\n"));
    buffer_release(&out);
    metrics_destroy(m);
}

static void set_seven(void *context)
{
    metrics_set(context, 7);
}

static void test_collectors_run_before_rendering(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct metric *g = metrics_gauge(m, &(struct metrics_name){.name = "g", .help = "G."});
    assert_true(metrics_before_render(m, set_seven, g));
    struct buffer out;
    assert_non_null(strstr(rendered(m, &out), "\ng 7\n"));
    buffer_release(&out);
    metrics_destroy(m);
}

static void *count(void *context)
{
    for (int i = 0; i < 10000; i++) {
        metrics_add(context, 1);
    }
    return NULL;
}

static void test_threads_lose_no_count(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct metric *c =
        metrics_counter(m, &(struct metrics_name){.name = "c", .help = "C."});
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, count, c);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(metrics_get(c), 40000);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_prometheus_text),
        cmocka_unit_test(test_the_same_name_and_labels_are_the_same_series),
        cmocka_unit_test(test_a_family_has_a_limit_and_the_rest_is_other),
        cmocka_unit_test(test_a_label_value_that_is_too_long_is_other),
        cmocka_unit_test(test_without_memory_a_spare_series_takes_the_value),
        cmocka_unit_test(test_collectors_run_before_rendering),
        cmocka_unit_test(test_threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
