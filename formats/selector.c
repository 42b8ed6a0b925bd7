/* selector.c - see selector.h. Operators wait on a small stack until what they bind to is
 * complete (Dijkstra's shunting yard), so nothing recurses. */
#include "formats/selector.h"
#include <assert.h>
#include <string.h>
#include "formats/selector_lex.h"

static const char *const device_names[] = {
    [MOULT_FIELD_ID] = "id",
    [MOULT_FIELD_NAME] = "name",
    [MOULT_FIELD_SERIAL] = "serial",
    [MOULT_FIELD_PRODUCT] = "product",
    [MOULT_FIELD_STATE] = "state",
    [MOULT_FIELD_SITE] = "site",
    [MOULT_FIELD_TZ] = "tz",
    [MOULT_FIELD_VERSION] = "version",
    [MOULT_FIELD_SEQ] = "seq",
    [MOULT_FIELD_DIGEST] = "digest",
    [MOULT_FIELD_SECURE_VERSION] = "secure_version",
    [MOULT_FIELD_CHIP] = "chip",
    [MOULT_FIELD_REVISION] = "revision",
    [MOULT_FIELD_LAST_SEEN] = "last_seen",
    [MOULT_FIELD_FIRST_SEEN] = "first_seen",
    [MOULT_FIELD_RSSI] = "rssi",
    [MOULT_FIELD_ROLLOUT_STATE] = "rollout.state",
};
_Static_assert(sizeof device_names / sizeof device_names[0] == MOULT_FIELD_COUNT,
               "one name per field");

const struct moult_selector_fields moult_selector_device_fields = {
    .names = device_names,
    .count = MOULT_FIELD_COUNT,
    .has_device_tests = true,
};

/* What waits on the stack, by how tightly it binds. */
enum pending { PENDING_OPEN, PENDING_OR, PENDING_AND, PENDING_NOT };

/* Per level of nesting at most "(", one "or" and one "and", or "not"; and the outermost
 * two. */
enum { STACK_MAX = 3 * MOULT_SELECTOR_DEPTH_MAX + 2, NAME_MAX = 24 };

struct parser {
    struct moult_bytes text;
    uint32_t position;
    struct moult_token token; /* the next one */
    struct moult_selector *out;
    struct moult_selector_error *error;
    enum moult_status status;
    uint8_t stack[STACK_MAX]; /* enum pending */
    unsigned stack_count, depth;
};

static void advance(struct parser *parser)
{
    parser->token = moult_token_next(parser->text, &parser->position);
}

/* Always false, for `return fail(...)`. */
static bool fail(struct parser *parser, enum moult_status status, const char *expected)
{
    const struct moult_token *token = &parser->token;
    parser->status = status;
    *parser->error = (struct moult_selector_error){
        .position = token->position,
        .size = token->size,
        .expected = expected,
    };
    return false;
}

static bool expect(struct parser *parser, enum moult_token_kind kind, const char *expected)
{
    if (parser->token.kind != kind) { return fail(parser, MOULT_E_ARG, expected); }
    advance(parser);
    return true;
}

/* --- nearest name --- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, of names up to NAME_MAX; longer ones are far away. */
static unsigned distance(struct moult_bytes a, const char *b)
{
    size_t size = strlen(b);
    unsigned row[NAME_MAX + 1];
    if (a.size > NAME_MAX || size > NAME_MAX) { return NAME_MAX; }
    for (unsigned j = 0; j <= size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= size; j++) {
            unsigned replaced = diagonal + (a.data[i - 1] != (uint8_t)b[j - 1]);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[size];
}

static const char *nearest(const struct moult_selector_fields *fields,
                           struct moult_bytes name)
{
    const char *best = NULL;
    unsigned best_distance = least((unsigned)name.size / 2, 3) + 1;
    for (unsigned i = 0; i < fields->count; i++) {
        unsigned d = distance(name, fields->names[i]);
        if (d >= best_distance) { continue; }
        best_distance = d;
        best = fields->names[i];
    }
    return best;
}

/* --- tests --- */

static bool is_ident_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c == '_' || c == '-' || c == '.';
}

/* attr.NAME or meta.NAME */
static bool is_dynamic(const struct parser *parser, struct moult_bytes name)
{
    enum { PREFIX = 5 };
    bool starts = name.size > PREFIX && (memcmp(name.data, "attr.", PREFIX) == 0 ||
                                         memcmp(name.data, "meta.", PREFIX) == 0);
    if (!parser->out->fields->has_device_tests || !starts) { return false; }
    if (name.size - PREFIX > MOULT_SELECTOR_IDENT_MAX) { return false; }
    for (size_t i = PREFIX; i < name.size; i++) {
        if (!is_ident_char(name.data[i])) { return false; }
    }
    return true;
}

static bool take_field(struct parser *parser, struct moult_selector_term *term)
{
    const struct moult_selector_fields *fields = parser->out->fields;
    if (parser->token.kind != MOULT_TOKEN_WORD) {
        return fail(parser, MOULT_E_ARG, "a field");
    }
    term->ident = parser->token.text;
    term->field = MOULT_FIELD_DYNAMIC;
    for (unsigned i = 0; i < fields->count; i++) {
        if (moult_token_is(&parser->token, fields->names[i])) { term->field = (uint8_t)i; }
    }
    if (term->field == MOULT_FIELD_DYNAMIC && !is_dynamic(parser, term->ident)) {
        const char *name = nearest(fields, term->ident);
        (void)fail(parser, MOULT_E_ARG, "a known field"); /* false; more is known here */
        parser->error->nearest = name;
        return false;
    }
    advance(parser);
    return true;
}

static bool take_value(struct parser *parser, struct moult_selector_term *term)
{
    struct moult_selector *out = parser->out;
    const struct moult_token *token = &parser->token;
    if (token->kind == MOULT_TOKEN_BAD && token->size > 0 &&
        parser->text.data[token->position] == '"') {
        return fail(parser, MOULT_E_ARG, "a string that ends with a quote");
    }
    if (token->kind != MOULT_TOKEN_WORD && token->kind != MOULT_TOKEN_STRING) {
        return fail(parser, MOULT_E_ARG, "a value");
    }
    if (out->value_count == MOULT_SELECTOR_VALUES_MAX) {
        return fail(parser, MOULT_E_RANGE, "at most 128 values");
    }
    if (!moult_token_value(token, &out->values[out->value_count])) {
        return fail(parser, MOULT_E_RANGE, "a number of 64 bits");
    }
    if (term->value_count == 0) { term->value = out->value_count; }
    term->value_count++;
    out->value_count++;
    advance(parser);
    return true;
}

static bool take_list(struct parser *parser, struct moult_selector_term *term)
{
    if (!expect(parser, MOULT_TOKEN_OPEN, "\"(\"")) { return false; }
    do {
        if (!take_value(parser, term)) { return false; }
        if (parser->token.kind != MOULT_TOKEN_COMMA) { break; }
        advance(parser);
    } while (true);
    return expect(parser, MOULT_TOKEN_CLOSE, "\",\" or \")\"");
}

/* Names of tags and groups are handed to the caller as they stand, so they have no
 * escapes. */
static bool take_name(struct parser *parser, struct moult_selector_term *term)
{
    const struct moult_token *token = &parser->token;
    bool is_name = token->kind == MOULT_TOKEN_WORD || token->kind == MOULT_TOKEN_STRING;
    if (!is_name || token->is_escaped || token->text.size == 0) {
        return fail(parser, MOULT_E_ARG, "a name");
    }
    if (token->text.size > MOULT_SELECTOR_IDENT_MAX) {
        return fail(parser, MOULT_E_RANGE, "a name of at most 64 characters");
    }
    term->ident = token->text;
    advance(parser);
    return true;
}

/* (name) or, for a tag, (name = value) */
static bool take_named(struct parser *parser, struct moult_selector_term *term)
{
    if (!expect(parser, MOULT_TOKEN_OPEN, "\"(\"") || !take_name(parser, term)) {
        return false;
    }
    bool may_have = term->kind == MOULT_SELECTOR_TAG;
    bool has_value = may_have && parser->token.kind == MOULT_TOKEN_OPERATOR &&
                     parser->token.op == MOULT_OP_EQUAL;
    if (has_value) {
        advance(parser);
        if (!take_value(parser, term)) { return false; }
    }
    return expect(parser, MOULT_TOKEN_CLOSE,
                  may_have && !has_value ? "\"=\" or \")\"" : "\")\"");
}

static bool take_comparison(struct parser *parser, struct moult_selector_term *term)
{
    if (!take_field(parser, term)) { return false; }
    if (moult_token_is(&parser->token, "in")) {
        term->kind = MOULT_SELECTOR_IN;
        advance(parser);
        return take_list(parser, term);
    }
    if (parser->token.kind != MOULT_TOKEN_OPERATOR) {
        return fail(parser, MOULT_E_ARG, "an operator");
    }
    term->op = (uint8_t)parser->token.op;
    advance(parser);
    return take_value(parser, term);
}

/* Whether the word before "(" is a test of its own; fields may have the same names
 * elsewhere. */
static bool is_named_test(const struct parser *parser, const char *word)
{
    return parser->out->fields->has_device_tests && moult_token_is(&parser->token, word);
}

static bool take_test(struct parser *parser, struct moult_selector_term *term)
{
    term->position = (uint16_t)parser->token.position;
    if (moult_token_is(&parser->token, "all")) {
        term->kind = MOULT_SELECTOR_ALL;
        advance(parser);
        return true;
    }
    if (moult_token_is(&parser->token, "has")) {
        term->kind = MOULT_SELECTOR_HAS;
        advance(parser);
        return take_field(parser, term);
    }
    bool is_tag = is_named_test(parser, "tag");
    if (is_tag || is_named_test(parser, "group")) {
        term->kind = is_tag ? MOULT_SELECTOR_TAG : MOULT_SELECTOR_GROUP;
        term->field = MOULT_FIELD_DYNAMIC;
        advance(parser);
        return take_named(parser, term);
    }
    return take_comparison(parser, term);
}

/* --- expression --- */

static bool emit(struct parser *parser, unsigned node)
{
    struct moult_selector *out = parser->out;
    if (out->node_count == MOULT_SELECTOR_NODES_MAX) {
        return fail(parser, MOULT_E_RANGE, "at most 256 tests, and, or, not");
    }
    out->nodes[out->node_count++] = (uint8_t)node;
    return true;
}

/* Moves what binds at least as tightly as `least_binding` from the stack to the output. */
static bool unwind(struct parser *parser, enum pending least_binding)
{
    static const uint8_t node[] = {
        [PENDING_OR] = MOULT_NODE_OR,
        [PENDING_AND] = MOULT_NODE_AND,
        [PENDING_NOT] = MOULT_NODE_NOT,
    };
    while (parser->stack_count > 0) {
        uint8_t top = parser->stack[parser->stack_count - 1];
        if (top == PENDING_OPEN || top < least_binding) { break; }
        parser->stack_count--;
        if (top == PENDING_NOT) { parser->depth--; }
        if (!emit(parser, node[top])) { return false; }
    }
    return true;
}

static bool push(struct parser *parser, enum pending what)
{
    if (what == PENDING_OPEN || what == PENDING_NOT) {
        if (parser->depth == MOULT_SELECTOR_DEPTH_MAX) {
            return fail(parser, MOULT_E_RANGE, "at most 16 levels of parentheses and not");
        }
        parser->depth++;
    }
    assert(parser->stack_count < STACK_MAX);
    parser->stack[parser->stack_count++] = (uint8_t)what;
    advance(parser);
    return true;
}

/* "not" and "(" as often as they come, then one test. */
static bool take_operand(struct parser *parser)
{
    struct moult_selector *out = parser->out;
    for (;;) {
        bool is_not = moult_token_is(&parser->token, "not");
        if (!is_not && parser->token.kind != MOULT_TOKEN_OPEN) { break; }
        if (!push(parser, is_not ? PENDING_NOT : PENDING_OPEN)) { return false; }
    }
    if (parser->token.kind != MOULT_TOKEN_WORD) {
        return fail(parser, MOULT_E_ARG, "a test");
    }
    if (out->term_count == MOULT_SELECTOR_TERMS_MAX) {
        return fail(parser, MOULT_E_RANGE, "at most 64 tests");
    }
    struct moult_selector_term *term = &out->terms[out->term_count];
    *term = (struct moult_selector_term){0};
    if (!take_test(parser, term)) { return false; }
    return emit(parser, (unsigned)MOULT_NODE_TERM + out->term_count++);
}

/* ")" as often as it comes. */
static bool take_closings(struct parser *parser)
{
    while (parser->token.kind == MOULT_TOKEN_CLOSE) {
        if (!unwind(parser, PENDING_OR)) { return false; }
        if (parser->stack_count == 0) {
            return fail(parser, MOULT_E_ARG, "\"and\", \"or\" or the end");
        }
        parser->stack_count--; /* its "(" */
        parser->depth--;
        advance(parser);
    }
    return true;
}

/* "and" or "or": true with *more false at the end of the text. */
static bool take_connective(struct parser *parser, bool *more)
{
    bool is_and = moult_token_is(&parser->token, "and");
    *more = is_and || moult_token_is(&parser->token, "or");
    if (*more) {
        enum pending what = is_and ? PENDING_AND : PENDING_OR;
        return unwind(parser, what) && push(parser, what);
    }
    if (!unwind(parser, PENDING_OR)) { return false; }
    bool is_open = parser->stack_count > 0;
    if (parser->token.kind == MOULT_TOKEN_END && !is_open) { return true; }
    return fail(parser, MOULT_E_ARG,
                is_open ? "\"and\", \"or\" or \")\"" : "\"and\", \"or\" or the end");
}

enum moult_status moult_selector_parse(const struct moult_selector_fields *fields,
                                       struct moult_bytes text, struct moult_selector *out,
                                       struct moult_selector_error *error)
{
    assert(fields && out && error && fields->count <= 64);
    struct parser parser = {.text = text, .out = out, .error = error, .status = MOULT_OK};
    *error = (struct moult_selector_error){0};
    out->fields = fields;
    out->node_count = out->value_count = 0;
    out->term_count = 0;
    if (text.size > MOULT_SELECTOR_SIZE_MAX) {
        parser.token.position = MOULT_SELECTOR_SIZE_MAX;
        (void)fail(&parser, MOULT_E_RANGE,
                   "at most 4096 bytes"); /* its status is returned */
        return parser.status;
    }
    advance(&parser);
    bool more = true;
    while (more) {
        if (!take_operand(&parser) || !take_closings(&parser)) { return parser.status; }
        if (!take_connective(&parser, &more)) { return parser.status; }
    }
    return MOULT_OK;
}
