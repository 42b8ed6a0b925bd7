/* token_test.c - formats/token.c */
#include "formats/token.h"
#include <string.h>
#include "tests/support/check.h"

static void test_known_tokens(void)
{
    char text[MOULT_TOKEN_SIZE];
    uint8_t secret[32] = {0};
    moult_token_write(secret, text);
    check(strncmp(text, "moult_0000000000000000000000000000000000000000000", 49) == 0);
    check(moult_token_is_well_formed(text));
    secret[31] = 61;
    moult_token_write(secret, text);
    check(text[48] == 'z' && text[47] == '0');
    memset(secret, 0xff, sizeof secret);
    moult_token_write(secret, text);
    check(moult_token_is_well_formed(text));
    check_equal(strlen(text), MOULT_TOKEN_SIZE - 1);
}

static void test_every_mistyped_character_is_noticed(void)
{
    char text[MOULT_TOKEN_SIZE];
    uint8_t secret[32];
    for (unsigned i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)(i * 37 + 11);
    }
    moult_token_write(secret, text);
    for (unsigned i = 0; i < MOULT_TOKEN_SIZE - 1; i++) {
        char kept = text[i];
        text[i] = kept == 'a' ? 'b' : 'a';
        check(!moult_token_is_well_formed(text));
        text[i] = kept;
    }
    check(moult_token_is_well_formed(text));
    text[MOULT_TOKEN_SIZE - 2] = '\0';
    check(!moult_token_is_well_formed(text));
    check(!moult_token_is_well_formed(""));
}

int main(void)
{
    check_run(test_known_tokens);
    check_run(test_every_mistyped_character_is_noticed);
    return check_report();
}
