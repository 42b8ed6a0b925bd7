/* symbols.h - the symbols of a patch, each coded and learnt from.
 *
 * Layer    codec/decode, shared by decoder and encoder.
 * Format   docs/spec/patch.md, "Tokens", "Covers", "Bytes".
 *
 * As in range_coder.h: a value goes in, which only an encoder's call means, and the value
 * that the stream has comes out. Each is one atom: at most 70 decisions. What a stream may
 * not say sets c->is_bad.
 */
#ifndef MOULT_CODEC_DECODE_SYMBOLS_H
#define MOULT_CODEC_DECODE_SYMBOLS_H

#include "codec/decode/codec.h"

enum moult_token {
    MOULT_TOKEN_LITERAL,
    MOULT_TOKEN_COVER, /* the base, unit by unit, with corrections */
    MOULT_TOKEN_MATCH, /* output again */
    MOULT_TOKEN_MOVED, /* output again, its absolute targets kept */
};

/* --- tokens.c --- */
enum moult_token moult_code_token(struct moult_codec *c, enum moult_token token);
/* Where in the base a cover begins; then its size, 1 up to the limits. */
uint32_t moult_code_cover_from(struct moult_codec *c, uint32_t old);
uint32_t moult_code_cover_size(struct moult_codec *c, uint32_t old, uint32_t size);
/* Size of a match, 2 or more; then its distance, 1..at. */
uint32_t moult_code_match_size(struct moult_codec *c, uint32_t size);
uint32_t moult_code_match_distance(struct moult_codec *c, uint32_t size, uint32_t distance);
/* The token is complete: what follows depends on it. old: end of a cover in the base. */
void moult_token_done(struct moult_codec *c, enum moult_token token, uint32_t old);

/* One entry of the map behind `before`. */
struct moult_move moult_code_move(struct moult_codec *c, struct moult_move before,
                                  struct moult_move move);

/* --- units.c, on c->unit --- */
/* Whether the prediction holds. */
bool moult_code_hit(struct moult_codec *c, bool is_hit);
/* Whether the next 16 words equal the base; only asked when moult_may_run(). */
bool moult_may_run(const struct moult_codec *c, uint32_t room);
bool moult_code_run(struct moult_codec *c, bool is_run);
/* Whether a missed unit may be corrected as a number: by its target, or a word by its
 * difference. Then: is it? And which target or word. */
bool moult_may_correct(const struct moult_codec *c);
bool moult_code_is_corrected(struct moult_codec *c, bool is_corrected);
/* The new target (or word); `bytes` becomes the corrected unit. */
uint32_t moult_code_correction(struct moult_codec *c, uint32_t target, uint8_t bytes[4]);
/* Whether an encoder may correct to this target. */
bool moult_can_correct(const struct moult_codec *c, uint32_t target);

/* --- bytes.c --- */
/* The byte at c->at, where a literal stands. */
uint8_t moult_code_literal(struct moult_codec *c, uint8_t byte);
/* Byte i of a missed unit; misses: those before in the unit, as the specification counts.
 */
uint8_t moult_code_substitute(struct moult_codec *c, unsigned i, unsigned misses,
                              uint8_t byte);

#endif
