/* utf8.c - see utf8.h. */
#include "formats/utf8.h"

/* Bytes of the sequence that begins with `lead`, and the range of its second byte; 0: none
 * does. */
static size_t sequence_of(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80) { return 1; }
    if (lead >= 0xc2 && lead <= 0xdf) { return 2; }
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0) { *low = 0xa0; }  /* shortest form */
        if (lead == 0xed) { *high = 0x9f; } /* no surrogates */
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0) { *low = 0x90; }
        if (lead == 0xf4) { *high = 0x8f; } /* U+10FFFF */
        return 4;
    }
    return 0;
}

bool moult_utf8_is_valid(struct moult_bytes text)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t low, high;
        size_t n = sequence_of(text.data[i], &low, &high);
        if (n == 0 || n > text.size - i) { return false; }
        for (size_t k = 1; k < n; k++) {
            uint8_t c = text.data[i + k];
            if (c < low || c > high) { return false; }
            low = 0x80;
            high = 0xbf;
        }
        i += n;
    }
    return true;
}
