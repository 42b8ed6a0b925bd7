/* log_test.c - a device's log lines are whole, bounded and of the asked form. */
#include "ports/posix/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/codes.h"
#include "moult/log.h"
#include "tests/support/check.h"

static int ends[2];
static char text[4096];

static struct moult_device_log open_log(bool is_json, enum moult_log_level most)
{
    if (pipe(ends) != 0) { abort(); }
    return (struct moult_device_log){
        .device = "dev-0001", .fd = ends[1], .is_json = is_json, .most = most};
}

/* What was written, NUL-terminated. */
static const char *written(void)
{
    close(ends[1]);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    text[size > 0 ? size : 0] = 0;
    return text;
}

static void test_a_line_has_time_device_level_event_and_fields(void)
{
    struct moult_device_log log = open_log(false, MOULT_LOG_INFO);
    const struct moult_log_field fields[] = {{"slot", NULL, 1}, {"why", "two words", 0}};
    moult_device_log(&log, MOULT_LOG_INFO, "boot", fields, 2);
    const char *line = written();
    check(strlen(line) > 24 && line[10] == 'T' && line[23] == 'Z');
    check(strcmp(line + 24, " dev-0001 info boot slot=1 why=\"two words\"\n") == 0);
}

static void test_json_lines_are_json_even_when_cut(void)
{
    static char large[600];
    memset(large, '"', sizeof large - 1);
    const struct moult_log_field fields[] = {{"slot", NULL, -1},
                                             {"quoted", "a\"b\\c\n", 0},
                                             {"large", large, 0},
                                             {"after", "x", 0}};
    struct moult_device_log log = open_log(true, MOULT_LOG_INFO);
    moult_device_log(&log, MOULT_LOG_WARN, "odd", fields, 4);
    const char *line = written();
    check(strstr(line, ",\"device\":\"dev-0001\",\"level\":\"warn\",\"event\":\"odd\""));
    const char *end = strstr(line, ",\"slot\"");
    check(end && strcmp(end, ",\"slot\":-1,\"quoted\":\"a\\\"b\\\\c\\u000a\"}\n") == 0);
}

static void test_levels_above_the_asked_one_are_dropped(void)
{
    struct moult_device_log log = open_log(false, MOULT_LOG_WARN);
    moult_device_log(&log, MOULT_LOG_INFO, "boot", NULL, 0);
    moult_device_log_engine(&log, MOULT_LOG_DEBUG, MOULT_LOG_STATE, 0, 1);
    moult_device_log(&log, MOULT_LOG_ERROR, "boot", NULL, 0);
    const char *line = written();
    check(strstr(line, "error boot\n") && !strstr(line, "info") && !strstr(line, "state"));
}

static void test_the_engine_speaks_in_words(void)
{
    struct moult_device_log log = open_log(false, MOULT_LOG_DEBUG);
    moult_device_log_engine(&log, MOULT_LOG_DEBUG, MOULT_LOG_STATE, 0, 1);
    moult_device_log_engine(&log, MOULT_LOG_INFO, MOULT_LOG_CHECKIN, 3, 77);
    moult_device_log_engine(&log, MOULT_LOG_ERROR, MOULT_D_CHIP, MOULT_R_PRE_HW_MISMATCH,
                            UINT32_MAX);
    const char *line = written();
    check(strstr(line, "debug state from=LOAD to=MEASURE\n"));
    check(strstr(line, "info check_in reports=3 bytes=77\n"));
    check(strstr(line, "error trouble code=E0902 reason=R107 native=-1 words="));
}

int main(void)
{
    check_run(test_a_line_has_time_device_level_event_and_fields);
    check_run(test_json_lines_are_json_even_when_cut);
    check_run(test_levels_above_the_asked_one_are_dropped);
    check_run(test_the_engine_speaks_in_words);
    return check_report();
}
