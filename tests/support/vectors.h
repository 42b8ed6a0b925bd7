/* vectors.h - test vectors of others, read where they lie: beside the tree, in
 * ../shared/vectors.
 *
 * They are not part of this project and not needed to build it. A test that does not find
 * them prints SKIP and passes; what they must yield is in docs/testing.md.
 */
#ifndef MOULT_TESTS_SUPPORT_VECTORS_H
#define MOULT_TESTS_SUPPORT_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Parses folder/name; NULL after printing SKIP when the file is not there. Aborts when it
 * is there and is no JSON. The caller decrefs. */
json_t *vectors_load(const char *source_dir, const char *name);

/* Hex string of an object's member into out; aborts when it is missing or too long. */
size_t vectors_hex(const json_t *object, const char *member, uint8_t *out, size_t capacity);

/* base64url without padding, exactly 32 bytes; aborts otherwise. */
void vectors_base64url32(const json_t *object, const char *member, uint8_t out[32]);

/* The member as text, "" when it is missing. */
const char *vectors_text(const json_t *object, const char *member);

#endif
