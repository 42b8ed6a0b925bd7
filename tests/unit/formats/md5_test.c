/* md5_test.c - formats/md5.c, with the vectors of RFC 1321, appendix A.5 */
#include "formats/md5.h"
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

static void test_rfc_1321_vectors(void)
{
    static const struct {
        const char *text, *digest;
    } rows[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"1234567890123456789012345678901234567890"
         "1234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[MOULT_MD5_SIZE];
        char hex[2 * MOULT_MD5_SIZE + 1];
        check_row(rows[i].text);
        moult_md5((const uint8_t *)rows[i].text, strlen(rows[i].text), out);
        moult_hex_encode(out, sizeof out, hex);
        check(strcmp(hex, rows[i].digest) == 0);
    }
    check_row(NULL);
}

/* Sizes around the place where the length needs a block of its own. */
static void test_padding_at_block_ends(void)
{
    static const struct {
        size_t size;
        const char *digest;
    } rows[] = {
        {55, "ef1772b6dff9a122358552954ad0df65"}, {56, "3b0c8ac703f828b04c6c197006d17218"},
        {57, "652b906d60af96844ebd21b674f35e93"}, {63, "b06521f39153d618550606be297466d5"},
        {64, "014842d480b571495a4a0363793f7367"}, {65, "c743a45e0d2e6a95cb859adae0248435"},
    };
    uint8_t data[65];
    memset(data, 'a', sizeof data);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[MOULT_MD5_SIZE];
        char hex[2 * MOULT_MD5_SIZE + 1];
        moult_md5(data, rows[i].size, out);
        moult_hex_encode(out, sizeof out, hex);
        check(strcmp(hex, rows[i].digest) == 0);
    }
}

int main(void)
{
    check_run(test_rfc_1321_vectors);
    check_run(test_padding_at_block_ends);
    return check_report();
}
