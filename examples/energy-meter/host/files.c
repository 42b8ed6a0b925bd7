/* files.c - see files.h. */
#include "examples/energy-meter/host/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "examples/energy-meter/host/arguments.h"

/* size bytes from fd. False: fewer, or an error. */
static bool read_all(int fd, uint8_t *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, out + at, size - at);
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { return false; }
        at += (size_t)got;
    }
    return true;
}

static uint8_t *load_open(int fd, const char *path, size_t *size)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_size < 0 || (size_t)info.st_size > FILE_SIZE_MAX) {
        complain("%s: expected a file of at most %u bytes", path, FILE_SIZE_MAX);
        return NULL;
    }
    *size = (size_t)info.st_size;
    uint8_t *data = malloc(*size + 1);
    if (data && read_all(fd, data, *size)) {
        data[*size] = 0;
        return data;
    }
    complain("%s: cannot be read: %s", path, data ? strerror(errno) : "no memory");
    free(data);
    return NULL;
}

uint8_t *file_load(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        complain("%s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    uint8_t *data = load_open(fd, path, size);
    close(fd);
    return data;
}

bool file_load_text(const char *path, char *out, size_t size)
{
    size_t found;
    uint8_t *data = file_load(path, &found);
    if (!data) { return false; }
    bool fits = found < size;
    if (fits) {
        memcpy(out, data, found + 1);
    } else {
        complain("%s: expected at most %zu bytes, found %zu", path, size - 1, found);
    }
    free(data);
    return fits;
}

bool file_save_text(const char *path, const char *text, unsigned mode)
{
    size_t size = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    bool is_saved = fd >= 0 && write(fd, text, size) == (ssize_t)size;
    if (fd >= 0 && close(fd) != 0) { is_saved = false; }
    if (!is_saved) { complain("%s: cannot be written: %s", path, strerror(errno)); }
    return is_saved;
}
