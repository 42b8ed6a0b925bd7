/* selector_test.c - the selector language: what it means, and what it says of mistakes. */
#include "formats/selector.h"
#include <stdio.h>
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/spec.h"

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

static bool is(struct moult_bytes bytes, const char *string)
{
    return bytes.size == strlen(string) && memcmp(bytes.data, string, bytes.size) == 0;
}

/* --- one device --- */

enum { DAY_MS = 86400000 };
static const uint64_t now_ms = 1767225600000;

static struct moult_value string_value(const char *string)
{
    return (struct moult_value){.type = MOULT_VALUE_STRING, .text = text(string)};
}

static struct moult_value dynamic_value(struct moult_bytes ident)
{
    if (is(ident, "attr.room")) { return string_value("cellar"); }
    if (is(ident, "attr.grid")) {
        return (struct moult_value){.type = MOULT_VALUE_INTEGER, .number = 50};
    }
    if (is(ident, "attr.quote")) { return string_value("a\"b\\c"); }
    if (is(ident, "attr.empty")) { return string_value(""); }
    if (is(ident, "meta.no_canary")) {
        return (struct moult_value){.type = MOULT_VALUE_BOOL, .number = 1};
    }
    if (is(ident, "meta.odd")) { /* a version that is none of SemVer */
        return (struct moult_value){.type = MOULT_VALUE_VERSION, .text = text("odd-1")};
    }
    if (is(ident, "meta.fw")) {
        return (struct moult_value){.type = MOULT_VALUE_VERSION,
                                    .text = text("2.0.0-rc.1")};
    }
    return (struct moult_value){0};
}

static struct moult_value field_value(const void *context, unsigned field,
                                      struct moult_bytes ident)
{
    (void)context;
    switch (field) {
    case MOULT_FIELD_NAME:
        return string_value("meter-0042");
    case MOULT_FIELD_STATE:
        return string_value("accepted");
    case MOULT_FIELD_CHIP:
        return string_value("esp32c3");
    case MOULT_FIELD_VERSION:
        return (struct moult_value){
            .type = MOULT_VALUE_VERSION, .text = text("1.1.0"), .number = 7};
    case MOULT_FIELD_SEQ:
        return (struct moult_value){.type = MOULT_VALUE_INTEGER, .number = 7};
    case MOULT_FIELD_RSSI:
        return (struct moult_value){.type = MOULT_VALUE_INTEGER, .number = -71};
    case MOULT_FIELD_LAST_SEEN:
        return (struct moult_value){.type = MOULT_VALUE_TIME,
                                    .number = (int64_t)now_ms - 3 * DAY_MS};
    case MOULT_FIELD_FIRST_SEEN: /* a device whose clock runs ahead */
        return (struct moult_value){.type = MOULT_VALUE_TIME,
                                    .number = (int64_t)now_ms + 5};
    case MOULT_FIELD_DYNAMIC:
        return dynamic_value(ident);
    default:
        return (struct moult_value){0};
    }
}

static bool tag_value(const void *context, struct moult_bytes name,
                      struct moult_bytes *value)
{
    (void)context;
    *value = text(is(name, "ring") ? "two words" : "");
    return is(name, "ring") || is(name, "beta");
}

static bool in_group(const void *context, struct moult_bytes name)
{
    (void)context;
    return is(name, "pilot") || is(name, "night shift");
}

/* 1.2.0 is known as sequence 8, 0.9.0-odd as 6; the rest is not. */
static uint64_t sequence_of(const void *context, struct moult_bytes version)
{
    (void)context;
    return is(version, "1.2.0") ? 8 : is(version, "9.9.9-odd") ? 6 : 0;
}

static const struct moult_selector_subject device = {
    .now_ms = 1767225600000,
    .field = field_value,
    .tag = tag_value,
    .group = in_group,
    .sequence_of = sequence_of,
};

static enum moult_status parse(const char *string, struct moult_selector *out,
                               struct moult_selector_error *error)
{
    return moult_selector_parse(&moult_selector_device_fields, text(string), out, error);
}

/* 1 selected, 0 not, negative: a status */
static int selects(const char *string)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    enum moult_status st = parse(string, &selector, &error);
    return st == MOULT_OK ? moult_selector_matches(&selector, &device) : (int)st;
}

static void check_selects(const char *const *rows, size_t count, int want)
{
    for (size_t i = 0; i < count; i++) {
        check_row(rows[i]);
        check_equal(selects(rows[i]), want);
    }
    check_row(NULL);
}
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* --- meaning --- */

static void test_what_holds(void)
{
    static const char *const rows[] = {
        "all",
        " \t\r\n all ",
        "(all)",
        "not not all",
        "not (not (all))",
        "name = meter-0042",
        "name=\"meter-0042\"",
        "name != x",
        "name < n",
        "name >= meter-0042",
        "name ~ meter-*",
        "name ~ *",
        "name ~ m?t?r?00*",
        "name ~ \"m*4?\"",
        "name ~ *0*0*2",
        "name in (a, meter-0042)",
        "name in (\"meter-0042\")",
        "chip = esp32c3",
        "chip > esp32",
        "state = accepted",
        "seq = 7",
        "seq >= 7",
        "seq < 8",
        "seq != 8",
        "seq in (1,2,7)",
        "rssi > -72",
        "rssi = -71",
        "seq != accepted",
        "seq != 1d", /* other kinds are different */
        "version = 1.1.0",
        "version < 1.2.0",
        "version > 1.0.9",
        "version > 1.1.0-rc.1",
        "version >= 1.1.0",
        "version ~ 1.*",
        "version in (1.0.0, 1.1.0)",
        "version = \"1.1.0\"",
        "version > 9.9.9-odd", /* by sequence: it came before */
        "version != 7",
        "meta.odd = odd-1",
        "meta.odd != odd-2",
        "meta.odd != 1.0.0",
        "meta.fw < 2.0.0",
        "meta.fw = 2.0.0-rc.1",
        "last_seen > 2d",
        "last_seen >= 3d",
        "last_seen <= 3d",
        "last_seen < 4d",
        "last_seen < 1w",
        "last_seen = 72h",
        "last_seen = 4320m",
        "last_seen = 259200s",
        "last_seen = 259200000ms",
        "last_seen != 5",
        "first_seen < 1s",
        "first_seen <= 0s",
        "first_seen = 0s",
        "attr.room = cellar",
        "attr.room in (attic, cellar)",
        "attr.grid = 50",
        "attr.grid > 49",
        "attr.grid != \"50\"",
        "attr.empty = \"\"",
        "has attr.empty",
        "attr.quote = \"a\\\"b\\\\c\"",
        "attr.quote ~ \"a\\\"*\"",
        "attr.quote ~ \"*\\\\c\"",
        "meta.no_canary = true",
        "meta.no_canary != false",
        "has name",
        "has attr.room",
        "not has serial",
        "not has attr.none",
        "not serial = x",
        "not serial != x",
        "not attr.none < 5",
        "tag(beta)",
        "tag(ring)",
        "tag ( ring = \"two words\" )",
        "tag(beta = \"\")",
        "not tag(x)",
        "group(pilot)",
        "group(\"night shift\")",
        /* not before and before or */
        "not serial = x and name ~ m*",
        "serial = x and name = y or all",
        "all or serial = x and name = y",
        "not (serial = x or name = y)",
        "all and all and all",
        "serial = a or serial = b or all",
        "not not not (serial = x)",
        "(all and (all or serial = x)) and (not has serial)",
        /* words that mean something elsewhere */
        "name != and",
        "name != not",
        "name in (in, or, meter-0042)",
        "name!=all",
    };
    check_selects(rows, COUNT(rows), 1);
}

static void test_what_does_not_hold(void)
{
    static const char *const rows[] = {
        "not all",
        "name = METER-0042",
        "name ~ meter",
        "name ~ meter-004",
        "name ~ ?",
        "name ~ M*",
        "name ~ \"\"",
        "name in (a, b)",
        /* a missing value makes every comparison false */
        "serial = x",
        "serial != x",
        "serial < x",
        "serial >= x",
        "serial ~ *",
        "serial in (x)",
        "has serial",
        "attr.none = 5",
        "attr.none != 5",
        /* kinds that do not compare */
        "seq = accepted",
        "seq < accepted",
        "seq > \"3\"",
        "seq ~ 7",
        "seq = true",
        "meta.no_canary = 1",
        "meta.no_canary > false",
        "meta.no_canary >= true",
        "last_seen = 2026-01-01",
        "last_seen < 5",
        "last_seen ~ *",
        "attr.grid = \"50\"",
        "version < 7",
        "version = 7",
        "version >= abc",
        "seq > 7",
        "rssi > -71",
        "version > 1.1.0",
        "version >= 1.2.0",
        "version < 9.9.9-odd",
        "meta.odd <= odd-1",
        "meta.odd >= odd-1",
        "meta.odd < odd-2",
        "meta.odd < 1.0.0",
        "meta.fw >= 2.0.0",
        "last_seen < 2d",
        "last_seen < 3d",
        "first_seen > 0s",
        "tag(x)",
        "tag(beta = x)",
        "tag(ring = two)",
        "group(x)",
        "group(Pilot)",
        "all and serial = x",
        "not (all or serial = x)",
        "not all and all",
        "(name = x or all) and not all",
    };
    check_selects(rows, COUNT(rows), 0);
}

static void test_a_subject_without_callbacks_has_no_tags_groups_or_sequences(void)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    struct moult_selector_subject bare = device;
    bare.tag = NULL;
    bare.group = NULL;
    bare.sequence_of = NULL;
    check_equal(parse("tag(beta) or group(pilot)", &selector, &error), MOULT_OK);
    check(!moult_selector_matches(&selector, &bare));
    check_equal(parse("version < 9.9.9-odd", &selector, &error), MOULT_OK);
    check(moult_selector_matches(&selector, &bare)); /* SemVer decides then */
}

static void test_each_term_can_be_asked_alone(void)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    check_equal(parse("name ~ m* and (seq = 1 or group(pilot))", &selector, &error),
                MOULT_OK);
    check_equal(selector.term_count, 3);
    check(moult_selector_term_holds(&selector, 0, &device));
    check(!moult_selector_term_holds(&selector, 1, &device));
    check(moult_selector_term_holds(&selector, 2, &device));
    check_equal(selector.terms[0].position, 0);
    check_equal(selector.terms[1].position, 15);
    check_equal(selector.terms[2].position, 26);
    check(is(selector.terms[0].ident, "name"));
    check(is(selector.terms[2].ident, "pilot"));
}

static void test_values_are_read_through_their_escapes(void)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    char out[8];
    check_equal(parse("name = \"a\\\"b\\\\c\"", &selector, &error), MOULT_OK);
    check_equal(moult_value_text(&selector.values[0], out, sizeof out), 5);
    check_bytes(out, "a\"b\\c", 5);
    memset(out, 'x', sizeof out);
    check_equal(moult_value_text(&selector.values[0], out, 2), 5);
    check_bytes(out, "a\"x", 3);
    check_equal(moult_value_text(&selector.values[0], NULL, 0), 5);
}

/* --- mistakes --- */

static void test_mistakes_are_named_with_their_place(void)
{
    static const struct {
        const char *text;
        enum moult_status status;
        uint32_t position, size;
        const char *expected, *nearest;
    } rows[] = {
        {"", MOULT_E_ARG, 0, 0, "a test", NULL},
        {"   ", MOULT_E_ARG, 3, 0, "a test", NULL},
        {"vesion = 1.0.0", MOULT_E_ARG, 0, 6, "a known field", "version"},
        {"nmae = x", MOULT_E_ARG, 0, 4, "a known field", "name"},
        {"has sit", MOULT_E_ARG, 4, 3, "a known field", "site"},
        {"lastseen < 1d", MOULT_E_ARG, 0, 8, "a known field", "last_seen"},
        {"completely_else = 1", MOULT_E_ARG, 0, 15, "a known field", NULL},
        {"Name = x", MOULT_E_ARG, 0, 4, "a known field", "name"},
        {"attr. = x", MOULT_E_ARG, 0, 5, "a known field", NULL},
        {"attr.a*b = x", MOULT_E_ARG, 0, 8, "a known field", NULL},
        {"site =", MOULT_E_ARG, 6, 0, "a value", NULL},
        {"site = )", MOULT_E_ARG, 7, 1, "a value", NULL},
        {"site == x", MOULT_E_ARG, 6, 1, "a value", NULL},
        {"site \"berlin\"", MOULT_E_ARG, 5, 8, "an operator", NULL},
        {"site berlin", MOULT_E_ARG, 5, 6, "an operator", NULL},
        {"site", MOULT_E_ARG, 4, 0, "an operator", NULL},
        {"site & x", MOULT_E_ARG, 5, 1, "an operator", NULL},
        {"site ! x", MOULT_E_ARG, 5, 1, "an operator", NULL},
        {"site = \"berlin", MOULT_E_ARG, 7, 7, "a string that ends with a quote", NULL},
        {"site = \"a\\x\"", MOULT_E_ARG, 7, 2, "a string that ends with a quote", NULL},
        {"site = \"a\nb\"", MOULT_E_ARG, 7, 2, "a string that ends with a quote", NULL},
        {"site = \"a\\", MOULT_E_ARG, 7, 2, "a string that ends with a quote", NULL},
        {"\"site\" = x", MOULT_E_ARG, 0, 6, "a test", NULL},
        {"(all", MOULT_E_ARG, 4, 0, "\"and\", \"or\" or \")\"", NULL},
        {"(all all", MOULT_E_ARG, 5, 3, "\"and\", \"or\" or \")\"", NULL},
        {"all all", MOULT_E_ARG, 4, 3, "\"and\", \"or\" or the end", NULL},
        {"all)", MOULT_E_ARG, 3, 1, "\"and\", \"or\" or the end", NULL},
        {"all , all", MOULT_E_ARG, 4, 1, "\"and\", \"or\" or the end", NULL},
        {"()", MOULT_E_ARG, 1, 1, "a test", NULL},
        {"not", MOULT_E_ARG, 3, 0, "a test", NULL},
        {"all and", MOULT_E_ARG, 7, 0, "a test", NULL},
        {"all or or all", MOULT_E_ARG, 7, 2, "a known field", NULL},
        {"site in berlin", MOULT_E_ARG, 8, 6, "\"(\"", NULL},
        {"site in ()", MOULT_E_ARG, 9, 1, "a value", NULL},
        {"site in (a b)", MOULT_E_ARG, 11, 1, "\",\" or \")\"", NULL},
        {"site in (a,)", MOULT_E_ARG, 11, 1, "a value", NULL},
        {"tag beta", MOULT_E_ARG, 4, 4, "\"(\"", NULL},
        {"tag()", MOULT_E_ARG, 4, 1, "a name", NULL},
        {"tag(\"\")", MOULT_E_ARG, 4, 2, "a name", NULL},
        {"tag(\"a\\\\b\")", MOULT_E_ARG, 4, 6, "a name", NULL},
        {"tag(a = )", MOULT_E_ARG, 8, 1, "a value", NULL},
        {"tag(a > 1)", MOULT_E_ARG, 6, 1, "\"=\" or \")\"", NULL},
        {"group(a = 1)", MOULT_E_ARG, 8, 1, "\")\"", NULL},
        {"has", MOULT_E_ARG, 3, 0, "a field", NULL},
        {"has (name)", MOULT_E_ARG, 4, 1, "a field", NULL},
        {"\x01", MOULT_E_ARG, 0, 1, "a test", NULL},
        {"site = \xc3\xa9", MOULT_E_ARG, 7, 1, "a value", NULL},
        {"seq = 9223372036854775808", MOULT_E_RANGE, 6, 19, "a number of 64 bits", NULL},
        {"last_seen < 99999999999999999d", MOULT_E_RANGE, 12, 18, "a number of 64 bits",
         NULL},
        {"last_seen < 99999999999999999999999s", MOULT_E_RANGE, 12, 24,
         "a number of 64 bits", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct moult_selector selector;
        struct moult_selector_error error;
        check_row(rows[i].text);
        check_equal(parse(rows[i].text, &selector, &error), rows[i].status);
        check_equal(error.position, rows[i].position);
        check_equal(error.size, rows[i].size);
        check(strcmp(error.expected, rows[i].expected) == 0);
        check((error.nearest == NULL) == (rows[i].nearest == NULL));
        check(!error.nearest || strcmp(error.nearest, rows[i].nearest) == 0);
    }
    check_row(NULL);
}

static void test_numbers_keep_their_full_range(void)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    check_equal(
        parse("seq in (9223372036854775807, -9223372036854775807, 007)", &selector, &error),
        MOULT_OK);
    check(selector.values[0].number == INT64_MAX);
    check(selector.values[1].number == -INT64_MAX);
    check_equal(selector.values[2].number, 7);
    check_equal(parse("name in (-, -x, 5x, --5, 1.2, 3dd, -3d, 5m.)", &selector, &error),
                MOULT_OK);
    for (unsigned i = 0; i < selector.value_count; i++) {
        check_equal(selector.values[i].type, MOULT_VALUE_STRING);
    }
}

static void test_another_table_has_its_own_names(void)
{
    static const char *const names[] = {"state", "phase", "tag"};
    static const struct moult_selector_fields fields = {names, 3, false};
    static struct moult_selector selector;
    struct moult_selector_error error;
    check_equal(moult_selector_parse(&fields, text("phase>=2 or state in (paused,aborted)"),
                                     &selector, &error),
                MOULT_OK);
    check_equal(selector.terms[0].field, 1);
    check_equal(moult_selector_parse(&fields, text("tag = 1"), &selector, &error),
                MOULT_OK);
    static const char *const unknown[] = {"attr.room = 1", "meta.x = 1", "group(a)",
                                          "name = 1"};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        check_equal(moult_selector_parse(&fields, text(unknown[i]), &selector, &error),
                    MOULT_E_ARG);
        check(strcmp(error.expected, "a known field") == 0);
    }
}

/* --- limits --- */

/* `piece` `count` times, then `end`. */
static enum moult_status parse_repeated(const char *piece, unsigned count, const char *end)
{
    static char long_text[8192];
    static struct moult_selector selector;
    struct moult_selector_error error;
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        size += (size_t)snprintf(long_text + size, sizeof long_text - size, "%s", piece);
    }
    snprintf(long_text + size, sizeof long_text - size, "%s", end);
    return parse(long_text, &selector, &error);
}

static void test_limits_are_exact(void)
{
    check_equal(parse_repeated("all or ", 63, "all"), MOULT_OK);
    check_equal(parse_repeated("all or ", 64, "all"), MOULT_E_RANGE);
    check_equal(parse_repeated("not ", 16, "all"), MOULT_OK);
    check_equal(parse_repeated("not ", 17, "all"), MOULT_E_RANGE);
    check_equal(parse_repeated("(", 16, "all))))))))))))))))"), MOULT_OK);
    check_equal(parse_repeated("(", 17, "all)))))))))))))))))"), MOULT_E_RANGE);
    check_equal(parse_repeated("not (", 8, "all))))))))"), MOULT_OK);
    check_equal(parse_repeated("not (", 8, "not all))))))))"), MOULT_E_RANGE);
    check_equal(parse_repeated("name in (a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p) or ", 7,
                               "name in (a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p)"),
                MOULT_OK); /* 128 values */
    check_equal(
        parse_repeated("name in (a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p) or ", 8, "seq = 1"),
        MOULT_E_RANGE);
    check_equal(parse_repeated("not not not all or ", 51, "all"), MOULT_OK); /* 4 + ... */
    check_equal(parse_repeated("not not not all or ", 60, "all"), MOULT_E_RANGE);
    check_equal(parse_repeated(" ", 4093, "all"), MOULT_OK);
    check_equal(parse_repeated(" ", 4094, "all"), MOULT_E_RANGE);
}

/* --- against a second opinion --- */

struct writer {
    char text[4096];
    size_t size;
    struct chance *chance;
    unsigned terms;
};

static void put(struct writer *writer, const char *piece)
{
    writer->size += (size_t)snprintf(writer->text + writer->size,
                                     sizeof writer->text - writer->size, "%s", piece);
}

/* As deep and as wide as the limits allow, so that no stack can overflow. */
static void test_the_deepest_nesting_is_evaluated(void)
{
    struct writer writer = {.size = 0};
    for (unsigned i = 0; i < MOULT_SELECTOR_DEPTH_MAX; i++) {
        put(&writer, "serial = x or all and (");
    }
    put(&writer, "serial = x or all and all");
    for (unsigned i = 0; i < MOULT_SELECTOR_DEPTH_MAX; i++) {
        put(&writer, ")");
    }
    check_equal(selects(writer.text), 1);
}

static bool put_expression(struct writer *writer, unsigned depth);

/* Writes a test and says whether it holds. */
static bool put_unary(struct writer *writer, unsigned depth)
{
    switch (chance_below(writer->chance, depth > 0 ? 5 : 3)) {
    case 0:
        put(writer, "all");
        break;
    case 1:
        put(writer, "seq = 7");
        break;
    case 2:
        put(writer, "serial != \"or (\"");
        return false;
    case 3: {
        put(writer, "not ");
        return !put_unary(writer, depth - 1);
    }
    default: {
        put(writer, "( ");
        bool value = put_expression(writer, depth - 1);
        put(writer, ")");
        return value;
    }
    }
    return true;
}

static bool put_conjunction(struct writer *writer, unsigned depth)
{
    bool value = put_unary(writer, depth);
    while (chance_below(writer->chance, 3) == 0) {
        put(writer, " and ");
        bool other = put_unary(writer, depth);
        value = value && other;
    }
    return value;
}

static bool put_expression(struct writer *writer, unsigned depth)
{
    bool value = put_conjunction(writer, depth);
    while (chance_below(writer->chance, 3) == 0) {
        put(writer, " or ");
        bool other = put_conjunction(writer, depth);
        value = value || other;
    }
    return value;
}

static void test_random_expressions_mean_what_their_grammar_says(void)
{
    struct chance chance = chance_start("selector", 0x5eed);
    unsigned yes = 0, no = 0, limits = 0;
    for (int round = 0; round < 5000; round++) {
        struct writer writer = {.chance = &chance};
        int want = put_expression(&writer, 6);
        if (writer.size >= sizeof writer.text) { continue; }
        int have = selects(writer.text);
        if (have == MOULT_E_RANGE) { /* more than 64 tests */
            limits++;
            continue;
        }
        check_row(writer.text);
        check_equal(have, want);
        yes += have == 1;
        no += have == 0;
    }
    check_row(NULL);
    check(yes > 1000 && no > 1000 && limits < 1000);
}

/* Any bytes at all: parsed or refused with a place inside the text. */
static void test_random_text_is_parsed_or_refused_with_a_place(void)
{
    static const char *const pieces[] = {
        "(",      ")",     ",",   "=",  "!=",  "<",     "<=",    ">",    ">=",   "~",
        "and",    "or",    "not", "in", "has", "tag",   "group", "all",  "name", "seq",
        "attr.x", "\"s\"", "\"",  "5",  "2d",  "1.0.0", "\\",    "\x80", " "};
    struct chance chance = chance_start("selector text", 0xbeef);
    unsigned parsed = 0;
    for (int round = 0; round < 20000; round++) {
        struct writer writer = {.chance = &chance};
        for (uint32_t left = chance_below(&chance, 12); left > 0; left--) {
            put(&writer, pieces[chance_below(&chance, COUNT(pieces))]);
            put(&writer, chance_below(&chance, 2) ? " " : "");
        }
        static struct moult_selector selector;
        struct moult_selector_error error;
        enum moult_status st = parse(writer.text, &selector, &error);
        if (st == MOULT_OK) {
            parsed++;
            (void)moult_selector_matches(&selector, &device); /* only that it ends */
            continue;
        }
        check(error.position + error.size <= writer.size && error.expected);
    }
    printf("%u of 20000 parsed\n", parsed);
    check(parsed > 50);
}

int main(void)
{
    check_run(test_what_holds);
    check_run(test_what_does_not_hold);
    check_run(test_a_subject_without_callbacks_has_no_tags_groups_or_sequences);
    check_run(test_each_term_can_be_asked_alone);
    check_run(test_values_are_read_through_their_escapes);
    check_run(test_mistakes_are_named_with_their_place);
    check_run(test_numbers_keep_their_full_range);
    check_run(test_another_table_has_its_own_names);
    check_run(test_limits_are_exact);
    check_run(test_the_deepest_nesting_is_evaluated);
    check_run(test_random_expressions_mean_what_their_grammar_says);
    check_run(test_random_text_is_parsed_or_refused_with_a_place);
    return check_report();
}
