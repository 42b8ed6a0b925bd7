/* storage.c - see storage.h. */
#include "ports/sim/storage.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILL_SIZE = 4096 };

void moult_sim_storage_ram(struct moult_sim_storage *storage, uint8_t *ram, uint32_t size)
{
    assert(storage && ram && size > 0);
    *storage = (struct moult_sim_storage){.ram = ram, .fd = -1, .size = size};
}

static enum moult_status fill_erased(struct moult_sim_storage *storage)
{
    uint8_t erased[FILL_SIZE];
    memset(erased, 0xff, sizeof erased);
    for (uint32_t at = 0; at < storage->size;) {
        uint32_t size = storage->size - at < FILL_SIZE ? storage->size - at : FILL_SIZE;
        enum moult_status st = moult_sim_storage_write(storage, at, erased, size);
        if (st != MOULT_OK) { return st; }
        at += size;
    }
    return MOULT_OK;
}

static enum moult_status adopt_file(struct moult_sim_storage *storage,
                                    enum moult_sim_open mode, uint32_t size)
{
    if (mode != MOULT_SIM_OPEN_READ && flock(storage->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? MOULT_E_BUSY : MOULT_E_IO;
    }
    if (mode == MOULT_SIM_OPEN_CREATE) {
        storage->size = size;
        return fill_erased(storage);
    }
    struct stat info;
    if (fstat(storage->fd, &info) != 0) { return MOULT_E_IO; }
    if (info.st_size <= 0 || info.st_size > INT32_MAX) { return MOULT_E_FORMAT; }
    storage->size = (uint32_t)info.st_size;
    return size == 0 || size == storage->size ? MOULT_OK : MOULT_E_FORMAT;
}

enum moult_status moult_sim_storage_open(struct moult_sim_storage *storage,
                                         const char *path, enum moult_sim_open mode,
                                         uint32_t size)
{
    assert(storage && path && (mode != MOULT_SIM_OPEN_CREATE || size > 0));
    static const int flags[] = {
        [MOULT_SIM_OPEN_READ] = O_RDONLY,
        [MOULT_SIM_OPEN_RUN] = O_RDWR,
        [MOULT_SIM_OPEN_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    *storage = (struct moult_sim_storage){.fd = open(path, flags[mode] | O_CLOEXEC, 0600)};
    if (storage->fd < 0) {
        return errno == ENOENT   ? MOULT_E_NOENT
               : errno == EEXIST ? MOULT_E_EXISTS
                                 : MOULT_E_IO;
    }
    enum moult_status st = adopt_file(storage, mode, size);
    if (st != MOULT_OK) { moult_sim_storage_close(storage); }
    return st;
}

void moult_sim_storage_close(struct moult_sim_storage *storage)
{
    if (storage->fd >= 0) { close(storage->fd); }
    storage->fd = -1;
}

enum moult_status moult_sim_storage_read(const struct moult_sim_storage *storage,
                                         uint32_t offset, uint8_t *out, uint32_t size)
{
    assert(offset <= storage->size && size <= storage->size - offset);
    if (storage->ram) {
        memcpy(out, storage->ram + offset, size);
        return MOULT_OK;
    }
    ssize_t got;
    do {
        got = pread(storage->fd, out, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)size ? MOULT_OK : MOULT_E_IO;
}

enum moult_status moult_sim_storage_write(struct moult_sim_storage *storage,
                                          uint32_t offset, const uint8_t *data,
                                          uint32_t size)
{
    assert(offset <= storage->size && size <= storage->size - offset);
    if (storage->ram) {
        memcpy(storage->ram + offset, data, size);
        return MOULT_OK;
    }
    ssize_t put;
    do {
        put = pwrite(storage->fd, data, size, (off_t)offset);
    } while (put < 0 && errno == EINTR);
    return put == (ssize_t)size ? MOULT_OK : MOULT_E_IO;
}
