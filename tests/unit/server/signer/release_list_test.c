/* release_list_test.c - server/signer/release_list.c */
#include "server/signer/release_list.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/check.h"

static const char path[] = "release_list_test.list";

static void digest_of(unsigned number, uint8_t out[32])
{
    memset(out, (int)number, 32);
}

static void fill(unsigned count)
{
    unlink(path);
    struct release_list list;
    uint8_t digest[32];
    check_equal(release_list_open(&list, path), MOULT_OK);
    for (unsigned i = 1; i <= count; i++) {
        digest_of(i, digest);
        check_equal(release_list_add(&list, digest), MOULT_OK);
        check_equal(release_list_add(&list, digest), MOULT_OK); /* again changes nothing */
    }
    check_equal(list.count, count);
    release_list_close(&list);
}

static void test_listed_releases_survive_a_restart(void)
{
    fill(5);
    struct release_list list;
    uint8_t digest[32];
    check_equal(release_list_open(&list, path), MOULT_OK);
    check_equal(list.count, 5);
    digest_of(5, digest);
    check(release_list_has(&list, digest));
    digest_of(6, digest);
    check(!release_list_has(&list, digest));
    release_list_close(&list);
}

static void test_a_torn_last_record_is_cut_off_at_every_length(void)
{
    for (off_t size = 2 * 36; size < 3 * 36; size++) {
        fill(3);
        check(truncate(path, size) == 0);
        struct release_list list;
        uint8_t digest[32];
        check_equal(release_list_open(&list, path), MOULT_OK);
        check_equal(list.count, 2);
        digest_of(9, digest);
        check_equal(release_list_add(&list, digest), MOULT_OK);
        release_list_close(&list);
        struct stat info;
        check(stat(path, &info) == 0);
        check_equal(info.st_size, 3 * 36);
    }
}

static void test_damage_in_the_middle_is_refused(void)
{
    fill(3);
    FILE *f = fopen(path, "r+b");
    check(f != NULL);
    fseek(f, 36 + 4, SEEK_SET);
    fputc('x', f);
    fclose(f);
    struct release_list list;
    check_equal(release_list_open(&list, path), MOULT_E_FORMAT);
    unlink(path);
}

int main(void)
{
    check_run(test_listed_releases_survive_a_restart);
    check_run(test_a_torn_last_record_is_cut_off_at_every_length);
    check_run(test_damage_in_the_middle_is_refused);
    return check_report();
}
