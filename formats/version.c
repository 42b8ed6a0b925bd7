/* version.c - see version.h. */
#include "formats/version.h"
#include <assert.h>
#include <string.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_char(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static bool is_number(struct moult_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) { return false; }
    }
    return text.size > 0;
}

static bool is_plain_number(struct moult_bytes text)
{
    return is_number(text) && (text.size == 1 || text.data[0] != '0');
}

/* Cuts `text` before the first `mark`; what is behind it goes to *rest (NULL data: no
 * mark). */
static struct moult_bytes cut(struct moult_bytes text, char mark, struct moult_bytes *rest)
{
    const uint8_t *at = text.size ? memchr(text.data, mark, text.size) : NULL;
    *rest = (struct moult_bytes){0};
    if (!at) { return text; }
    size_t size = (size_t)(at - text.data);
    *rest = (struct moult_bytes){at + 1, text.size - size - 1};
    return (struct moult_bytes){text.data, size};
}

/* The parts of MAJOR.MINOR.PATCH[-pre.release][+build]. */
struct parts {
    struct moult_bytes numbers, pre, build; /* NULL data: not there */
};

/* The core has digits and dots only, so the first "-" or "+" ends it. */
static struct parts split(struct moult_bytes text)
{
    struct parts parts;
    struct moult_bytes before_build = cut(text, '+', &parts.build);
    parts.numbers = cut(before_build, '-', &parts.pre);
    return parts;
}

static bool are_identifiers(struct moult_bytes list, bool plain_numbers)
{
    struct moult_bytes rest = list;
    do {
        struct moult_bytes one = cut(rest, '.', &rest);
        if (one.size == 0) { return false; }
        for (size_t i = 0; i < one.size; i++) {
            if (!is_identifier_char(one.data[i])) { return false; }
        }
        if (plain_numbers && is_number(one) && !is_plain_number(one)) { return false; }
    } while (rest.data);
    return true;
}

bool moult_version_is_valid(struct moult_bytes text)
{
    struct parts parts = split(text);
    struct moult_bytes rest = parts.numbers;
    for (int i = 0; i < 3; i++) {
        bool is_last = i == 2;
        if (!is_plain_number(cut(rest, '.', &rest)) || (rest.data == NULL) != is_last) {
            return false;
        }
    }
    if (parts.pre.data && !are_identifiers(parts.pre, true)) { return false; }
    return !parts.build.data || are_identifiers(parts.build, false);
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* Plain numbers of any length: the longer one is the larger. */
static int compare_numbers(struct moult_bytes a, struct moult_bytes b)
{
    if (a.size != b.size) { return a.size < b.size ? -1 : 1; }
    return sign(memcmp(a.data, b.data, a.size));
}

static int compare_text(struct moult_bytes a, struct moult_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = sign(memcmp(a.data, b.data, size));
    if (order != 0 || a.size == b.size) { return order; }
    return a.size < b.size ? -1 : 1;
}

/* Numbers by value and before words; words as bytes. */
static int compare_identifiers(struct moult_bytes a, struct moult_bytes b)
{
    if (is_number(a) != is_number(b)) { return is_number(a) ? -1 : 1; }
    return is_number(a) ? compare_numbers(a, b) : compare_text(a, b);
}

/* Identifier by identifier; the longer list is later when all are equal. */
static int compare_lists(struct moult_bytes a, struct moult_bytes b)
{
    while (a.data && b.data) {
        struct moult_bytes one = cut(a, '.', &a);
        struct moult_bytes other = cut(b, '.', &b);
        int order = compare_identifiers(one, other);
        if (order != 0) { return order; }
    }
    return (a.data != NULL) - (b.data != NULL);
}

int moult_version_compare(struct moult_bytes a, struct moult_bytes b)
{
    assert(moult_version_is_valid(a) && moult_version_is_valid(b));
    struct parts x = split(a);
    struct parts y = split(b);
    int order = compare_lists(x.numbers, y.numbers);
    if (order != 0) { return order; }
    if (!x.pre.data || !y.pre.data) { return (x.pre.data == NULL) - (y.pre.data == NULL); }
    return compare_lists(x.pre, y.pre);
}
