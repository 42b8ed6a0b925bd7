/* selector_lex.h - tokens of the selector language.
 *
 * Layer    formats: pure functions. Private to formats/.
 * Format   docs/spec/selector.md.
 */
#ifndef MOULT_FORMATS_SELECTOR_LEX_H
#define MOULT_FORMATS_SELECTOR_LEX_H

#include "formats/selector.h"

enum moult_token_kind {
    MOULT_TOKEN_END,
    MOULT_TOKEN_WORD,
    MOULT_TOKEN_STRING, /* text is without its quotes */
    MOULT_TOKEN_OPEN,
    MOULT_TOKEN_CLOSE,
    MOULT_TOKEN_COMMA,
    MOULT_TOKEN_OPERATOR,
    MOULT_TOKEN_BAD, /* a character that starts nothing, or a string without its end */
};

struct moult_token {
    enum moult_token_kind kind;
    enum moult_selector_op op; /* of an operator */
    bool is_escaped;           /* of a string */
    struct moult_bytes text;
    uint32_t position, size; /* in the whole text, quotes included */
};

/* Reads the token at or behind *position and moves behind it. */
struct moult_token moult_token_next(struct moult_bytes text, uint32_t *position);

/* Whether a word token is exactly `word`. */
bool moult_token_is(const struct moult_token *token, const char *word);

/* The value a word or string stands for. False: a number or duration over 64 bits. */
bool moult_token_value(const struct moult_token *token, struct moult_value *out);

#endif
