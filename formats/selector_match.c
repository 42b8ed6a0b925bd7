/* selector_match.c - whether a selector, as selector.c parsed it, holds for one device. */
#include "formats/selector.h"
#include <assert.h>
#include <string.h>
#include "formats/version.h"

/* --- text, read through its escapes --- */

/* The character at *at, which moves behind it. */
static uint8_t next_char(const struct moult_value *value, size_t *at)
{
    if (value->is_escaped && value->text.data[*at] == '\\') { ++*at; }
    return value->text.data[(*at)++];
}

size_t moult_value_text(const struct moult_value *value, char *out, size_t size)
{
    size_t written = 0;
    for (size_t at = 0; at < value->text.size;) {
        char c = (char)next_char(value, &at);
        if (written < size) { out[written] = c; }
        written++;
    }
    return written;
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static int compare_text(const struct moult_value *a, const struct moult_value *b)
{
    size_t i = 0, j = 0;
    while (i < a->text.size && j < b->text.size) {
        int order = sign((int)next_char(a, &i) - (int)next_char(b, &j));
        if (order != 0) { return order; }
    }
    return (i < a->text.size) - (j < b->text.size);
}

/* * and ?. On a mismatch the last * takes one character more; earlier ones never need to.
 * */
static bool glob(const struct moult_value *text, const struct moult_value *pattern)
{
    size_t at = 0, p = 0;
    size_t star = SIZE_MAX, taken = 0;
    while (at < text->text.size) {
        size_t behind = p, next = at;
        uint8_t want = behind < pattern->text.size ? next_char(pattern, &behind) : 0;
        uint8_t have = next_char(text, &next);
        if (p < pattern->text.size && want == '*') {
            star = p = behind;
            taken = at;
        } else if (p < pattern->text.size && (want == '?' || want == have)) {
            p = behind;
            at = next;
        } else if (star != SIZE_MAX) {
            (void)next_char(text, &taken); /* only moves on */
            p = star;
            at = taken;
        } else {
            return false;
        }
    }
    while (p < pattern->text.size && pattern->text.data[p] == '*') {
        p++;
    }
    return p == pattern->text.size;
}

/* --- comparison --- */

enum order { BEFORE = -1, EQUAL = 0, AFTER = 1, DIFFERENT = 2, SAME_TEXT = 3 };

static enum order order_of(int number)
{
    return number == 0 ? EQUAL : number < 0 ? BEFORE : AFTER;
}

static enum order compare_numbers(int64_t a, int64_t b)
{
    return order_of((a > b) - (a < b));
}

/* By sequence where both are known, else by SemVer, else only equal or not. */
static enum order compare_versions(const struct moult_value *value,
                                   const struct moult_value *literal,
                                   const struct moult_selector_subject *subject)
{
    bool is_text =
        literal->type == MOULT_VALUE_VERSION || literal->type == MOULT_VALUE_STRING;
    if (!is_text) { return compare_text(value, literal) == 0 ? SAME_TEXT : DIFFERENT; }
    uint64_t sequence = 0;
    if (subject->sequence_of && value->number > 0) {
        sequence = subject->sequence_of(subject->context, literal->text);
    }
    if (sequence > 0) {
        uint64_t own = (uint64_t)value->number;
        return order_of((own > sequence) - (own < sequence));
    }
    bool are_versions = !literal->is_escaped && moult_version_is_valid(value->text) &&
                        moult_version_is_valid(literal->text);
    if (are_versions) {
        return order_of(moult_version_compare(value->text, literal->text));
    }
    return compare_text(value, literal) == 0 ? SAME_TEXT : DIFFERENT;
}

/* A time in the future is younger than everything. */
static enum order compare_age(int64_t time_ms, int64_t age_ms, uint64_t now_ms)
{
    int64_t now = now_ms > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)now_ms;
    if (time_ms > now) { return age_ms == 0 ? EQUAL : BEFORE; }
    uint64_t age = (uint64_t)now - (uint64_t)time_ms;
    uint64_t limit = (uint64_t)age_ms;
    return order_of((age > limit) - (age < limit));
}

static enum order compare(const struct moult_value *value,
                          const struct moult_value *literal,
                          const struct moult_selector_subject *subject)
{
    bool same_type = value->type == literal->type;
    switch (value->type) {
    case MOULT_VALUE_STRING:
        return order_of(compare_text(value, literal));
    case MOULT_VALUE_VERSION:
        return compare_versions(value, literal, subject);
    case MOULT_VALUE_INTEGER:
        return same_type ? compare_numbers(value->number, literal->number) : DIFFERENT;
    case MOULT_VALUE_BOOL:
        return same_type && value->number == literal->number ? SAME_TEXT : DIFFERENT;
    case MOULT_VALUE_TIME:
        if (literal->type != MOULT_VALUE_DURATION) { return DIFFERENT; }
        return compare_age(value->number, literal->number, subject->now_ms);
    default:
        return DIFFERENT;
    }
}

static bool is_text(const struct moult_value *value)
{
    return value->type == MOULT_VALUE_STRING || value->type == MOULT_VALUE_VERSION;
}

static bool holds(enum moult_selector_op op, enum order order)
{
    bool is_equal = order == EQUAL || order == SAME_TEXT;
    switch (op) {
    case MOULT_OP_EQUAL:
        return is_equal;
    case MOULT_OP_NOT_EQUAL:
        return !is_equal;
    case MOULT_OP_LESS:
        return order == BEFORE;
    case MOULT_OP_LESS_EQUAL:
        return order == BEFORE || order == EQUAL;
    case MOULT_OP_GREATER:
        return order == AFTER;
    case MOULT_OP_GREATER_EQUAL:
        return order == AFTER || order == EQUAL;
    default:
        return false;
    }
}

/* --- terms --- */

static bool term_compares(const struct moult_selector *selector,
                          const struct moult_selector_term *term,
                          const struct moult_selector_subject *subject)
{
    struct moult_value value = subject->field(subject->context, term->field, term->ident);
    if (value.type == MOULT_VALUE_MISSING) { return false; }
    if (term->kind == MOULT_SELECTOR_HAS) { return true; }
    const struct moult_value *literals = &selector->values[term->value];
    if (term->kind == MOULT_SELECTOR_COMPARE && term->op == MOULT_OP_GLOB) {
        return is_text(&value) && glob(&value, literals);
    }
    enum moult_selector_op op =
        term->kind == MOULT_SELECTOR_IN ? MOULT_OP_EQUAL : (enum moult_selector_op)term->op;
    for (unsigned i = 0; i < term->value_count; i++) {
        if (holds(op, compare(&value, &literals[i], subject))) { return true; }
    }
    return false;
}

static bool has_tag(const struct moult_selector *selector,
                    const struct moult_selector_term *term,
                    const struct moult_selector_subject *subject)
{
    struct moult_value value = {.type = MOULT_VALUE_STRING};
    if (!subject->tag || !subject->tag(subject->context, term->ident, &value.text)) {
        return false;
    }
    return term->value_count == 0 ||
           compare_text(&value, &selector->values[term->value]) == 0;
}

bool moult_selector_term_holds(const struct moult_selector *selector, unsigned term,
                               const struct moult_selector_subject *subject)
{
    assert(term < selector->term_count);
    const struct moult_selector_term *t = &selector->terms[term];
    switch (t->kind) {
    case MOULT_SELECTOR_ALL:
        return true;
    case MOULT_SELECTOR_TAG:
        return has_tag(selector, t, subject);
    case MOULT_SELECTOR_GROUP:
        return subject->group && subject->group(subject->context, t->ident);
    default:
        return term_compares(selector, t, subject);
    }
}

/* Operands wait as bits of a word: at most two per level of nesting, and one. */
_Static_assert(2 * MOULT_SELECTOR_DEPTH_MAX + 3 <= 64, "operands fit a word");

bool moult_selector_matches(const struct moult_selector *selector,
                            const struct moult_selector_subject *subject)
{
    uint64_t waiting = 0;
    for (unsigned i = 0; i < selector->node_count; i++) {
        uint8_t node = selector->nodes[i];
        uint64_t top = waiting & 1, below = waiting >> 1;
        switch (node) {
        case MOULT_NODE_NOT:
            waiting ^= 1;
            break;
        case MOULT_NODE_AND:
            waiting = (below & ~UINT64_C(1)) | (below & top);
            break;
        case MOULT_NODE_OR:
            waiting = below | top;
            break;
        default:
            waiting = waiting << 1 | moult_selector_term_holds(selector, node, subject);
            break;
        }
    }
    return waiting & 1;
}
