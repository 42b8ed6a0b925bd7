/* ids.c - see ids.h. */
#include "server/control/ids.h"
#include <string.h>
#include "formats/bytes.h"

enum { DIGITS = 26 };
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void put_time(int64_t time_ms, uint8_t id[ID_SIZE])
{
    uint64_t ms = time_ms > 0 ? (uint64_t)time_ms : 0;
    put_be16(id, (uint16_t)(ms >> 32));
    put_be32(id + 2, (uint32_t)ms);
}

bool id_make(const struct random *random, int64_t now_ms, uint8_t id[ID_SIZE])
{
    put_time(now_ms, id);
    return random_fill(random, id + 6, ID_SIZE - 6);
}

void id_of_row(int64_t time_ms, uint16_t a, uint64_t b, uint8_t id[ID_SIZE])
{
    put_time(time_ms, id);
    put_be16(id + 6, a);
    put_be64(id + 8, b);
}

/* Bits count from the most significant; the first digit holds the upper 3 of 128. */
static unsigned five_bits(const uint8_t id[ID_SIZE], int digit)
{
    unsigned value = 0;
    for (int i = 0; i < 5; i++) {
        int bit = digit * 5 + i - 2;
        unsigned one = bit < 0 ? 0u : (unsigned)id[bit / 8] >> (7 - bit % 8) & 1u;
        value = value << 1 | one;
    }
    return value;
}

void id_write(const char *prefix, const uint8_t id[ID_SIZE], char out[ID_TEXT_SIZE])
{
    memcpy(out, prefix, 3);
    out[3] = '_';
    for (int i = 0; i < DIGITS; i++) {
        out[4 + i] = alphabet[five_bits(id, i)];
    }
    out[4 + DIGITS] = '\0';
}

static int digit_value(char c)
{
    if (c >= 'a' && c <= 'z') { c = (char)(c - 'a' + 'A'); }
    if (c == 'O') { return 0; }
    if (c == 'I' || c == 'L') { return 1; }
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

bool id_parse(const char *prefix, const char *text, uint8_t id[ID_SIZE])
{
    uint8_t read[ID_SIZE] = {0};
    if (strncmp(text, prefix, 3) != 0 || text[3] != '_') { return false; }
    for (int i = 0; i < DIGITS; i++) {
        int value = digit_value(text[4 + i]);
        if (value < 0 || (i == 0 && value > 7)) { return false; }
        for (int j = 0; j < 5; j++) {
            int bit = i * 5 + j - 2;
            if (bit >= 0 && value >> (4 - j) & 1) {
                read[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
            }
        }
    }
    if (text[4 + DIGITS] != '\0') { return false; }
    memcpy(id, read, ID_SIZE);
    return true;
}

void event_id_write(int64_t time_ms, int64_t num, char out[ID_TEXT_SIZE])
{
    uint8_t id[ID_SIZE];
    id_of_row(time_ms, 0, (uint64_t)num, id);
    id_write("evt", id, out);
}

bool event_id_parse(const char *text, int64_t *num)
{
    uint8_t id[ID_SIZE];
    if (!id_parse("evt", text, id)) { return false; }
    *num = (int64_t)get_be64(id + 8);
    return *num >= 0;
}
