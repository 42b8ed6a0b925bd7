/* file.c - whole files in and out; see cli.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

#define FIRST_READ 65536u /* grows by doubling: pipes do not say how much will come */
#define PATH_LIMIT 4096u  /* as Linux */

static int read_failed(struct cli *cli, const char *path)
{
    return cli_fail(cli, MOULT_D_CLI_FILE_READ, path, strerror(errno));
}

static int write_failed(struct cli *cli, const char *path)
{
    return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, path, strerror(errno));
}

/* Reads to the end, or to one byte over limit. */
static int read_all(struct cli *cli, FILE *file, size_t limit, uint8_t **data, size_t *size)
{
    size_t room = limit < FIRST_READ ? limit + 1 : FIRST_READ;
    uint8_t *bytes = cli_alloc(cli, room + 1);
    size_t have = 0;
    for (;;) {
        have += fread(bytes + have, 1, room - have, file);
        if (have < room || have > limit) { break; }
        size_t more = room * 2 > limit + 1 ? limit + 1 : room * 2;
        uint8_t *larger = cli_alloc(cli, more + 1);
        memcpy(larger, bytes, have);
        bytes = larger;
        room = more;
    }
    bytes[have] = 0;
    *data = bytes;
    *size = have;
    return ferror(file) ? CLI_ERROR : CLI_OK;
}

int cli_read_file(struct cli *cli, const char *path, size_t limit, uint8_t **data,
                  size_t *size)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file) { return read_failed(cli, path); }
    struct stat about;
    int code = CLI_OK;
    if (fstat(fileno(file), &about) == 0 && S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        code = read_failed(cli, path);
    } else if (read_all(cli, file, limit, data, size) != CLI_OK) {
        code = read_failed(cli, path);
    } else if (*size > limit) {
        code = cli_fail_at(cli, path, MOULT_D_CLI_FILE_SIZE, cli_text(cli, "%zu", limit),
                           "more");
    }
    if (!is_stdin) { (void)fclose(file); } /* read only: nothing can get lost */
    return code;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR) { continue; }
        if (done <= 0) { return false; }
        data += done;
        size -= (size_t)done;
    }
    return true;
}

int cli_write_file(struct cli *cli, const char *path, unsigned mode, bool replace,
                   const void *data, size_t size)
{
    if (!replace && access(path, F_OK) == 0) {
        return cli_fail(cli, MOULT_D_CLI_EXISTS, NULL, path);
    }
    const char *temporary = cli_text(cli, "%s.new-%ld", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) { return write_failed(cli, path); }
    int code = CLI_OK;
    if (!write_all(fd, data, size) || fsync(fd) != 0) { code = write_failed(cli, path); }
    if (close(fd) != 0 && code == CLI_OK) { code = write_failed(cli, path); }
    if (code == CLI_OK && rename(temporary, path) != 0) { code = write_failed(cli, path); }
    if (code != CLI_OK) { (void)unlink(temporary); } /* it may not be there */
    return code;
}

int cli_make_folder(struct cli *cli, const char *path, unsigned mode)
{
    char part[PATH_LIMIT];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part) {
        errno = ENAMETOOLONG;
        return write_failed(cli, path);
    }
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i] != '\0') { continue; }
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, (mode_t)mode) != 0 && errno != EEXIST) {
            return write_failed(cli, path);
        }
        part[i] = kept;
    }
    struct stat about;
    if (stat(path, &about) != 0) { return write_failed(cli, path); }
    errno = ENOTDIR;
    return S_ISDIR(about.st_mode) ? CLI_OK : write_failed(cli, path);
}
