/* selector_lex.c - see selector_lex.h. */
#include "formats/selector_lex.h"
#include <string.h>
#include "formats/version.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(uint8_t c)
{
    if (is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) { return true; }
    return c != 0 && strchr("_-.:+/@*?%", c) != NULL;
}

/* Behind the opening quote. The closing one is outside *size; false when there is none. */
static bool scan_string(struct moult_bytes rest, size_t *size, bool *is_escaped)
{
    *is_escaped = false;
    for (size_t i = 0; i < rest.size; i++) {
        uint8_t c = rest.data[i];
        *size = i;
        if (c == '"') { return true; }
        if (c < 0x20 || c == 0x7f) { return false; }
        if (c != '\\') { continue; }
        bool follows = i + 1 < rest.size && strchr("\"\\", rest.data[i + 1]) != NULL;
        if (!follows || rest.data[i + 1] == 0) { return false; }
        *is_escaped = true;
        i++;
    }
    *size = rest.size;
    return false;
}

static void take_string(struct moult_bytes rest, struct moult_token *token)
{
    size_t size = 0;
    struct moult_bytes inner = {rest.data + 1, rest.size - 1};
    bool ends = scan_string(inner, &size, &token->is_escaped);
    token->kind = ends ? MOULT_TOKEN_STRING : MOULT_TOKEN_BAD;
    token->text = (struct moult_bytes){inner.data, size};
    token->size = (uint32_t)(size + (ends ? 2 : 1));
}

static void take_operator(struct moult_bytes rest, struct moult_token *token)
{
    static const struct {
        char text[3];
        enum moult_selector_op op;
    } operators[] = {
        {"!=", MOULT_OP_NOT_EQUAL},     {"<=", MOULT_OP_LESS_EQUAL},
        {">=", MOULT_OP_GREATER_EQUAL}, {"=", MOULT_OP_EQUAL},
        {"<", MOULT_OP_LESS},           {">", MOULT_OP_GREATER},
        {"~", MOULT_OP_GLOB},
    };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t size = strlen(operators[i].text);
        if (rest.size < size || memcmp(rest.data, operators[i].text, size) != 0) {
            continue;
        }
        token->kind = MOULT_TOKEN_OPERATOR;
        token->op = operators[i].op;
        token->size = (uint32_t)size;
        return;
    }
    token->kind = MOULT_TOKEN_BAD;
    token->size = 1;
}

static void take_word(struct moult_bytes rest, struct moult_token *token)
{
    size_t size = 0;
    while (size < rest.size && is_word_char(rest.data[size])) {
        size++;
    }
    token->kind = MOULT_TOKEN_WORD;
    token->size = (uint32_t)size;
}

struct moult_token moult_token_next(struct moult_bytes text, uint32_t *position)
{
    size_t at = *position;
    while (at < text.size && is_blank(text.data[at])) {
        at++;
    }
    struct moult_bytes rest = {text.data + at, text.size - at};
    struct moult_token token = {.kind = MOULT_TOKEN_END, .position = (uint32_t)at};
    if (rest.size > 0) {
        token.size = 1;
        switch (rest.data[0]) {
        case '(':
            token.kind = MOULT_TOKEN_OPEN;
            break;
        case ')':
            token.kind = MOULT_TOKEN_CLOSE;
            break;
        case ',':
            token.kind = MOULT_TOKEN_COMMA;
            break;
        case '"':
            take_string(rest, &token);
            break;
        default:
            if (is_word_char(rest.data[0])) {
                take_word(rest, &token);
            } else {
                take_operator(rest, &token);
            }
            break;
        }
    }
    if (!token.text.data) { token.text = (struct moult_bytes){rest.data, token.size}; }
    *position = token.position + token.size;
    return token;
}

bool moult_token_is(const struct moult_token *token, const char *word)
{
    return token->kind == MOULT_TOKEN_WORD && token->text.size == strlen(word) &&
           memcmp(token->text.data, word, token->text.size) == 0;
}

/* --- values --- */

/* Leading digits as a number, and how many there were. False: over INT64_MAX. */
static bool scan_number(struct moult_bytes text, uint64_t *number, size_t *digits)
{
    *number = 0;
    for (*digits = 0; *digits < text.size && is_digit(text.data[*digits]); ++*digits) {
        uint64_t digit = (uint64_t)(text.data[*digits] - '0');
        if (*number > ((uint64_t)INT64_MAX - digit) / 10) { return false; }
        *number = *number * 10 + digit;
    }
    return true;
}

/* Milliseconds of a unit; 0: no unit. */
static uint64_t unit_ms(struct moult_bytes unit)
{
    static const struct {
        char name[3];
        uint32_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (unit.size == strlen(units[i].name) &&
            memcmp(unit.data, units[i].name, unit.size) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

/* [-]digits or digits and a unit; *out stays text when it is neither. False: too large. */
static bool read_quantity(struct moult_bytes text, struct moult_value *out)
{
    uint64_t number;
    size_t digits;
    bool is_negative = text.size > 1 && text.data[0] == '-';
    size_t skipped = is_negative ? 1 : 0;
    struct moult_bytes rest = {text.data + skipped, text.size - skipped};
    bool fits = scan_number(rest, &number, &digits);
    if (fits && digits == 0) { return true; }
    while (digits < rest.size && is_digit(rest.data[digits])) {
        digits++;
    }
    struct moult_bytes unit = {rest.data + digits, rest.size - digits};
    uint64_t ms = unit_ms(unit);
    if (unit.size == 0) {
        out->type = MOULT_VALUE_INTEGER;
        out->number = is_negative ? -(int64_t)number : (int64_t)number;
        return fits;
    }
    if (ms == 0 || is_negative) { return true; }
    out->type = MOULT_VALUE_DURATION;
    out->number = fits && number <= (uint64_t)INT64_MAX / ms ? (int64_t)(number * ms) : 0;
    return fits && number <= (uint64_t)INT64_MAX / ms;
}

bool moult_token_value(const struct moult_token *token, struct moult_value *out)
{
    *out = (struct moult_value){
        .type = MOULT_VALUE_STRING,
        .text = token->text,
        .is_escaped = token->is_escaped,
    };
    if (token->kind == MOULT_TOKEN_STRING) { return true; }
    if (moult_token_is(token, "true") || moult_token_is(token, "false")) {
        out->type = MOULT_VALUE_BOOL;
        out->number = token->text.data[0] == 't';
        return true;
    }
    if (moult_version_is_valid(token->text)) {
        out->type = MOULT_VALUE_VERSION;
        return true;
    }
    return read_quantity(token->text, out);
}
