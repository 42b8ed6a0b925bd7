/* durable.c - see durable.h. */
#include "server/signer/durable.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 600 };

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { return false; }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char copy[PATH_SIZE_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) { return false; }
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

enum moult_status durable_replace(const char *path, const uint8_t *data, size_t size)
{
    char temporary[PATH_SIZE_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (n < 0 || n >= (int)sizeof temporary) { return MOULT_E_RANGE; }

    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) { return MOULT_E_IO; }
    bool ok = write_all(fd, data, size) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (!ok || rename(temporary, path) != 0) {
        unlink(temporary);
        return MOULT_E_IO;
    }
    return sync_folder(path) ? MOULT_OK : MOULT_E_IO;
}

enum moult_status durable_append(const char *path, const uint8_t *data, size_t size)
{
    bool is_new = access(path, F_OK) != 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) { return MOULT_E_IO; }
    off_t before = lseek(fd, 0, SEEK_END);
    bool ok = before >= 0 && write_all(fd, data, size) && fsync(fd) == 0;
    if (!ok && before >= 0 && ftruncate(fd, before) != 0) {
        ok = false; /* a torn record stays; readers know records by their CRC */
    }
    ok = close(fd) == 0 && ok;
    return ok && (!is_new || sync_folder(path)) ? MOULT_OK : MOULT_E_IO;
}

enum moult_status durable_read(const char *path, uint8_t *out, size_t capacity,
                               size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return errno == ENOENT ? MOULT_E_NOENT : MOULT_E_IO; }
    struct stat info;
    enum moult_status st = fstat(fd, &info) == 0 ? MOULT_OK : MOULT_E_IO;
    if (st == MOULT_OK && (uint64_t)info.st_size > capacity) { st = MOULT_E_RANGE; }
    size_t have = 0;
    while (st == MOULT_OK && have < (size_t)info.st_size) {
        ssize_t n = read(fd, out + have, (size_t)info.st_size - have);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { st = MOULT_E_IO; }
        have += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (st == MOULT_OK) { *size = have; }
    return st;
}
