/* version_test.c - SemVer 2.0 precedence. */
#include "formats/version.h"
#include <string.h>
#include "tests/support/check.h"

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

static void test_versions_are_told_from_other_text(void)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"0.0.0", true},
        {"1.2.3", true},
        {"10.20.30", true},
        {"1.1.2-prerelease+meta", true},
        {"1.0.0-alpha.1", true},
        {"1.0.0-0A.is.legal", true},
        {"1.0.0--", true},
        {"1.0.0-rc.1+build.1", true},
        {"1.2.3+001.-.Z", true},
        {"1.0.0-x-y-z.--", true},
        {"99999999999999999999999.999999999999999999.99999999999999999", true},
        {"1.0.0-0", true},
        {"1.0.0-1a", true},
        {"1.0.0+-", true},
        {"1.0.0+a-b", true},
        {"", false},
        {"1", false},
        {"1.2", false},
        {"1.2.3.4", false},
        {"v1.2.3", false},
        {"01.2.3", false},
        {"1.02.3", false},
        {"1.2.03", false},
        {"1.2.3-01", false},
        {"1.2.3-", false},
        {"1.2.3+", false},
        {"1.2.3-a..b", false},
        {"1.2.3-.a", false},
        {"1.2.3-a.", false},
        {"1.2.3+a..b", false},
        {"1.2.3-a_b", false},
        {"1.2.3+a+b", false},
        {"1..3", false},
        {".2.3", false},
        {"1.2.", false},
        {" 1.2.3", false},
        {"1.2.3 ", false},
        {"-1.2.3", false},
        {"1.2.a", false},
        {"1.2.3-\xc3\xa9", false},
        {"1-2.3.4", false},
        {"1+2.3.4", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].text);
        check_equal(moult_version_is_valid(text(rows[i].text)), rows[i].valid);
    }
    check_row(NULL);
    check(!moult_version_is_valid((struct moult_bytes){NULL, 0}));
}

/* Each group is equal to itself and before all that follow. */
static void test_precedence_is_that_of_the_standard(void)
{
    static const char *const ascending[] = {
        "0.0.1-0",
        "0.0.1",
        "0.9.99",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-beta.11.0",
        "1.0.0-beta-x",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0",
        "10.0.0",
        "18446744073709551616.0.0", /* above 64 bits */
    };
    enum { COUNT = sizeof ascending / sizeof ascending[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            check_row(ascending[i]);
            check_equal(moult_version_compare(text(ascending[i]), text(ascending[j])),
                        (i > j) - (i < j));
        }
    }
    check_row(NULL);
}

static void test_build_metadata_does_not_count(void)
{
    check_equal(moult_version_compare(text("1.0.0+a"), text("1.0.0+b")), 0);
    check_equal(moult_version_compare(text("1.0.0"), text("1.0.0+b-1")), 0);
    check_equal(moult_version_compare(text("1.0.0-a+b"), text("1.0.0-a")), 0);
}

int main(void)
{
    check_run(test_versions_are_told_from_other_text);
    check_run(test_precedence_is_that_of_the_standard);
    check_run(test_build_metadata_does_not_count);
    return check_report();
}
