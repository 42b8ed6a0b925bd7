/* cbor_edit.h - changes one item deep inside encoded CBOR, to make bad statements.
 *
 * Use it   cbor_edit(&payload, "7.0.2", "00");  component 0 of entry 7: its entry 2 is 0
 *          now
 *          cbor_edit(&payload, "5", NULL);      entry 5 is gone
 *          cbor_edit(&payload, "63", "01");     entry 63 is new, in its place by key
 *
 * A path names map keys and array indices. Aborts when the path leads nowhere.
 */
#ifndef MOULT_TESTS_SUPPORT_CBOR_EDIT_H
#define MOULT_TESTS_SUPPORT_CBOR_EDIT_H

#include "tests/support/statements.h"

void cbor_edit(struct statements_bytes *item, const char *path, const char *hex);

#endif
