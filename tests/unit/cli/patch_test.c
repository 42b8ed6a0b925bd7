/* patch_test.c - moult patch create, apply, info: files in, files, words and exit codes
 * out. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/chip.h"
#include "tests/support/code_image.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char folder[64];
static uint8_t image[2][CODE_IMAGE_MAX], again[CODE_IMAGE_MAX];
static uint32_t size[2];

static void write_file(const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    fclose(f);
}

static size_t read_file(const char *name, uint8_t *data, size_t room)
{
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    size_t got = fread(data, 1, room, f);
    fclose(f);
    return got;
}

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    static struct code_program program;
    snprintf(folder, sizeof folder, "/tmp/moult-patch-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0) { return 1; }
    code_program_make(&program, MOULT_CHIP_ESP32C3, 5);
    size[0] = code_image_link(&program, image[0], sizeof image[0]);
    code_program_edit(&program, 6);
    size[1] = code_image_link(&program, image[1], sizeof image[1]);
    write_file("old.bin", image[0], size[0]);
    write_file("new.bin", image[1], size[1]);
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *where)
{
    (void)about; /* nftw's signature; only the path is needed */
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state; /* cmocka's signature */
    return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect(const char *words, int code, const char *said)
{
    struct run run = run_words(words);
    if (run.code != code || (!strstr(run.out, said) && !strstr(run.err, said))) {
        printf("%s\n  code %d\n%s%s", words, run.code, run.out, run.err);
    }
    assert_int_equal(run.code, code);
    assert_true(strstr(run.out, said) || strstr(run.err, said));
    run_free(&run);
}

static void test_a_patch_gives_the_new_image_back(void **state)
{
    (void)state; /* cmocka's signature */
    expect("patch create old.bin new.bin -o p", CLI_OK, "RV32IMC, chip esp32c3");
    expect("patch apply old.bin p -o made.bin", CLI_OK, "as the patch says");
    assert_int_equal(read_file("made.bin", again, sizeof again), size[1]);
    assert_memory_equal(again, image[1], size[1]);
    expect("patch info p --json", CLI_OK, "\"profile\": \"m8\"");
}

static void test_a_full_image_needs_no_base(void **state)
{
    (void)state; /* cmocka's signature */
    expect("patch create --full new.bin -o p --profile m16", CLI_OK, "base        none");
    expect("patch apply p -o made.bin", CLI_OK, "as the patch says");
    assert_int_equal(read_file("made.bin", again, sizeof again), size[1]);
    assert_memory_equal(again, image[1], size[1]);
    expect("patch apply old.bin p -o other.bin", CLI_REFUSED, "E2484");
}

static void test_nothing_is_written_when_something_is_wrong(void **state)
{
    (void)state; /* cmocka's signature */
    expect("patch create old.bin new.bin -o p", CLI_OK, "patch");
    expect("patch create old.bin new.bin -o p", CLI_CONFLICT, "E23");
    expect("patch create old.bin new.bin", CLI_USAGE, "--out FILE");
    expect("patch create old.bin -o q", CLI_USAGE, "OLD and NEW");
    expect("patch create old.bin new.bin --full new.bin -o q", CLI_USAGE, "either");
    expect("patch create old.bin new.bin -o q --profile m4", CLI_USAGE, "m8 or m16");
    expect("patch apply new.bin p -o q", CLI_REFUSED, "E2484");
    expect("patch apply p -o q", CLI_USAGE, "OLD and PATCH");
    expect("patch info old.bin", CLI_REFUSED, "E1201");
    assert_int_not_equal(access("q", F_OK), 0);
}

static void test_a_damaged_patch_is_found(void **state)
{
    (void)state; /* cmocka's signature */
    expect("patch create old.bin new.bin -o p", CLI_OK, "patch");
    size_t bytes = read_file("p", again, sizeof again);
    write_file("short", again, bytes - 1);
    expect("patch info short", CLI_REFUSED, "E1201");
    again[40] ^= 1; /* what the result should be */
    write_file("other", again, bytes);
    expect("patch apply old.bin other -o q", CLI_REFUSED, "E2485");
    assert_int_not_equal(access("q", F_OK), 0);
}

static void test_noise_is_better_sent_as_it_is(void **state)
{
    (void)state; /* cmocka's signature */
    uint32_t seed = 3;
    for (unsigned i = 0; i < 9000; i++) {
        seed = seed * 1664525 + 1013904223;
        again[i] = (uint8_t)(seed >> 24);
    }
    write_file("noise", again, 9000);
    expect("patch create --full noise -o q", CLI_REFUSED, "patch the plain one");
    assert_int_not_equal(access("q", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_patch_gives_the_new_image_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_image_needs_no_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_written_when_something_is_wrong,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_patch_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_noise_is_better_sent_as_it_is, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
