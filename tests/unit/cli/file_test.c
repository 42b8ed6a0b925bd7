/* file_test.c - whole files in and out. */
#include "cli/cli.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char folder[64];

struct io {
    struct cli cli;
    char *said;
    size_t size;
};

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moult-file-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
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
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(struct io *io)
{
    *io = (struct io){0};
    io->cli.out = fopen("/dev/null", "w");
    io->cli.err = open_memstream(&io->said, &io->size);
}

static void stop(struct io *io)
{
    cli_end(&io->cli);
    fclose(io->cli.out);
    fclose(io->cli.err);
    free(io->said);
}

static bool said(struct io *io, const char *text)
{
    fflush(io->cli.err);
    return strstr(io->said, text) != NULL;
}

static void test_a_file_comes_back_as_it_was_written_with_its_mode(void **state)
{
    struct io io;
    uint8_t *data = NULL;
    size_t size = 0;
    struct stat about;
    char *bytes = calloc(1, 200001);
    (void)state;
    start(&io);
    for (unsigned i = 0; i < 200001; i++) {
        bytes[i] = (char)(i * 7);
    }
    const char *path = cli_text(&io.cli, "%s/file", folder);
    assert_int_equal(cli_write_file(&io.cli, path, 0600, false, bytes, 200001), CLI_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(cli_read_file(&io.cli, path, 200001, &data, &size), CLI_OK);
    assert_int_equal(size, 200001);
    assert_memory_equal(data, bytes, size);
    assert_int_equal(data[size], 0);
    free(bytes);
    stop(&io);
}

static void test_nothing_is_overwritten_without_being_told(void **state)
{
    struct io io;
    uint8_t *data = NULL;
    size_t size = 0;
    (void)state;
    start(&io);
    const char *path = cli_text(&io.cli, "%s/file", folder);
    assert_int_equal(cli_write_file(&io.cli, path, 0644, false, "one", 3), CLI_OK);
    assert_int_equal(cli_write_file(&io.cli, path, 0644, false, "two", 3), CLI_CONFLICT);
    assert_true(said(&io, "MOULT-E2312"));
    assert_int_equal(cli_read_file(&io.cli, path, 100, &data, &size), CLI_OK);
    assert_string_equal((char *)data, "one");
    assert_int_equal(cli_write_file(&io.cli, path, 0644, true, "three", 5), CLI_OK);
    assert_int_equal(cli_read_file(&io.cli, path, 100, &data, &size), CLI_OK);
    assert_string_equal((char *)data, "three");
    stop(&io);
}

static void test_a_failed_write_leaves_no_file_behind(void **state)
{
    struct io io;
    (void)state;
    start(&io);
    const char *path = cli_text(&io.cli, "%s/no/such/folder/file", folder);
    assert_int_equal(cli_write_file(&io.cli, path, 0644, true, "x", 1), CLI_ERROR);
    assert_true(said(&io, "MOULT-E2303"));
    const char *taken = cli_text(&io.cli, "%s/taken", folder);
    assert_int_equal(mkdir(taken, 0700), 0);
    assert_int_equal(cli_write_file(&io.cli, taken, 0644, true, "x", 1), CLI_ERROR);
    assert_int_equal(rmdir(taken), 0);
    assert_int_equal(rmdir(folder), 0); /* empty: no temporary file is left */
    assert_int_equal(mkdir(folder, 0700), 0);
    stop(&io);
}

static void test_what_cannot_be_read_is_said_with_its_reason(void **state)
{
    struct io io;
    uint8_t *data = NULL;
    size_t size = 0;
    (void)state;
    start(&io);
    assert_int_equal(cli_read_file(&io.cli, "/no/such/file", 10, &data, &size), CLI_ERROR);
    assert_true(said(&io, "MOULT-E2302 file /no/such/file cannot be read: No such file"));
    assert_int_equal(cli_read_file(&io.cli, folder, 10, &data, &size), CLI_ERROR);
    assert_true(said(&io, "Is a directory"));
    const char *path = cli_text(&io.cli, "%s/file", folder);
    assert_int_equal(cli_write_file(&io.cli, path, 0644, false, "12345", 5), CLI_OK);
    assert_int_equal(cli_read_file(&io.cli, path, 5, &data, &size), CLI_OK);
    assert_int_equal(cli_read_file(&io.cli, path, 4, &data, &size), CLI_ERROR);
    assert_true(said(&io, "MOULT-E2316"));
    stop(&io);
}

static void test_folders_are_made_with_their_parents(void **state)
{
    struct io io;
    struct stat about;
    (void)state;
    start(&io);
    const char *path = cli_text(&io.cli, "%s/a/b/c", folder);
    assert_int_equal(cli_make_folder(&io.cli, path, 0700), CLI_OK);
    assert_int_equal(cli_make_folder(&io.cli, path, 0700), CLI_OK); /* twice is fine */
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    const char *file = cli_text(&io.cli, "%s/file", folder);
    assert_int_equal(cli_write_file(&io.cli, file, 0644, false, "x", 1), CLI_OK);
    assert_int_equal(cli_make_folder(&io.cli, file, 0700), CLI_ERROR);
    assert_int_equal(cli_make_folder(&io.cli, cli_text(&io.cli, "%s/under", file), 0700),
                     CLI_ERROR);
    stop(&io);
}

static void test_a_table_is_aligned_by_characters(void **state)
{
    char *text = NULL;
    size_t size = 0;
    (void)state;
    struct cli cli = {.out = open_memstream(&text, &size), .err = stderr};
    struct cli_table *table = cli_table_start(&cli, "NAME", "N", "LAST", NULL);
    cli_table_row(table, "zähler", "1", NULL);
    cli_table_row(table, "a", "12345", "x");
    cli_table_end(table);
    fflush(cli.out);
    assert_string_equal(text, "NAME    N      LAST\n"
                              "zähler  1      -\n"
                              "a       12345  x\n");
    cli_end(&cli);
    fclose(cli.out);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_comes_back_as_it_was_written_with_its_mode),
        TEST(test_nothing_is_overwritten_without_being_told),
        TEST(test_a_failed_write_leaves_no_file_behind),
        TEST(test_what_cannot_be_read_is_said_with_its_reason),
        TEST(test_folders_are_made_with_their_parents),
        TEST(test_a_table_is_aligned_by_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
