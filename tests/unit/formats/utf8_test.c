/* utf8_test.c - formats/utf8.c */
#include "formats/utf8.h"
#include "tests/support/check.h"

#define TEXT(literal)                                                                      \
    {                                                                                      \
        (const uint8_t *)(literal), sizeof(literal) - 1                                    \
    }

static void test_rows(void)
{
    static const struct {
        const char *name;
        struct moult_bytes text;
        bool is_valid;
    } rows[] = {
        {"empty", TEXT(""), true},
        {"ascii", TEXT("ota_0"), true},
        {"two bytes", TEXT("z\xc3\xa4hler"), true},
        {"three bytes", TEXT("\xe2\x82\xac"), true},
        {"four bytes", TEXT("\xf0\x9f\x94\x8c"), true},
        {"edges of two", TEXT("\xc2\x80\xdf\xbf"), true},
        {"edges of three", TEXT("\xe0\xa0\x80\xef\xbf\xbf"), true},
        {"edges of four", TEXT("\xf0\x90\x80\x80"), true},
        {"second one cut short", TEXT("\xe2\x82\xac\xe2\x82"), false},
        {"lead out of range", TEXT("\xf5\x80\x80\x80"), false},
        {"last code point", TEXT("\xf4\x8f\xbf\xbf"), true},
        {"behind the last", TEXT("\xf4\x90\x80\x80"), false},
        {"lonely continuation", TEXT("\x80"), false},
        {"cut short", TEXT("\xe2\x82"), false},
        {"long form of slash", TEXT("\xc0\xaf"), false},
        {"long form in three", TEXT("\xe0\x80\xaf"), false},
        {"long form in four", TEXT("\xf0\x80\x80\xaf"), false},
        {"surrogate", TEXT("\xed\xa0\x80"), false},
        {"latin-1", TEXT("z\xe4hler"), false},
        {"bad third byte", TEXT("\xe2\x82z"), false},
        {"ff", TEXT("\xff"), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        check_equal(moult_utf8_is_valid(rows[i].text), rows[i].is_valid);
    }
    check_row(NULL);
}

int main(void)
{
    check_run(test_rows);
    return check_report();
}
