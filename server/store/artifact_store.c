/* artifact_store.c - see artifact_store.h. */
#include "server/store/artifact_store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "server/base/mem.h"

enum { PATH_SIZE = 512, FOLDER_SIZE = 400, READ_SIZE = 16384, CHECKED_MAX = 4096 };

struct artifact_store {
    char folder[FOLDER_SIZE];
    const struct moult_crypto *crypto;
    pthread_mutex_t lock; /* over what follows */
    uint64_t next_upload;
    /* Digests whose files were hashed by this process; when it is full the oldest are
     * hashed again, which costs time and nothing else. */
    uint8_t (*checked)[32];
    size_t checked_count, checked_next;
};

struct artifact_upload {
    struct artifact_store *store;
    uint8_t sha256[32];
    struct moult_sha256 hash;
    uint64_t size;
    int fd;
    char path[PATH_SIZE];
};

/* FOLDER/ab/cd/abcd...; `depth` 1 and 2 give the folders alone. */
static void path_of(const struct artifact_store *store, const uint8_t sha256[32], int depth,
                    char out[PATH_SIZE])
{
    char hex[65];
    moult_hex_encode(sha256, 32, hex);
    if (depth == 1) {
        snprintf(out, PATH_SIZE, "%s/%.2s", store->folder, hex);
    } else if (depth == 2) {
        snprintf(out, PATH_SIZE, "%s/%.2s/%.2s", store->folder, hex, hex + 2);
    } else {
        snprintf(out, PATH_SIZE, "%s/%.2s/%.2s/%s", store->folder, hex, hex + 2, hex);
    }
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) { close(fd); }
    return ok;
}

static void remove_leftovers(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') { unlinkat(dirfd(dir), entry->d_name, 0); }
    }
    if (dir) { closedir(dir); }
}

enum moult_status artifact_store_open(const char *folder, const struct moult_crypto *crypto,
                                      struct artifact_store **out)
{
    struct artifact_store *store = mem_alloc(sizeof *store);
    if (!store) { return MOULT_E_NOMEM; }
    store->checked = mem_alloc_array(CHECKED_MAX, sizeof store->checked[0]);
    store->crypto = crypto;
    int n = snprintf(store->folder, sizeof store->folder, "%s", folder);
    char tmp[PATH_SIZE];
    snprintf(tmp, sizeof tmp, "%s/tmp", store->folder);
    enum moult_status st = store->checked ? MOULT_OK : MOULT_E_NOMEM;
    if (st == MOULT_OK && (n < 0 || n >= (int)sizeof store->folder ||
                           !make_folder(store->folder) || !make_folder(tmp))) {
        st = MOULT_E_IO;
    }
    if (st != MOULT_OK) {
        mem_free(store->checked);
        mem_free(store);
        return st;
    }
    pthread_mutex_init(&store->lock, NULL);
    remove_leftovers(tmp);
    *out = store;
    return MOULT_OK;
}

void artifact_store_close(struct artifact_store *store)
{
    if (!store) { return; }
    pthread_mutex_destroy(&store->lock);
    mem_free(store->checked);
    mem_free(store);
}

/* --- upload --------------------------------------------------------------------------- */

static enum moult_status open_upload(struct artifact_upload *upload)
{
    struct artifact_store *store = upload->store;
    pthread_mutex_lock(&store->lock);
    uint64_t number = store->next_upload++;
    pthread_mutex_unlock(&store->lock);
    int n = snprintf(upload->path, sizeof upload->path, "%s/tmp/%llu", store->folder,
                     (unsigned long long)number);
    if (n < 0 || n >= (int)sizeof upload->path) { return MOULT_E_IO; }
    upload->fd = open(upload->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (upload->fd < 0) { return errno == ENOSPC ? MOULT_E_SPACE : MOULT_E_IO; }
    return MOULT_OK;
}

enum moult_status artifact_upload_begin(struct artifact_store *store,
                                        const uint8_t sha256[32],
                                        struct artifact_upload **out)
{
    char path[PATH_SIZE];
    path_of(store, sha256, 3, path);
    if (access(path, F_OK) == 0) { return MOULT_E_EXISTS; }

    struct artifact_upload *upload = mem_alloc(sizeof *upload);
    if (!upload) { return MOULT_E_NOMEM; }
    upload->store = store;
    memcpy(upload->sha256, sha256, 32);
    const struct moult_crypto *crypto = store->crypto;
    enum moult_status st = crypto->sha256_init(crypto->context, &upload->hash)
                               ? open_upload(upload)
                               : MOULT_E_NOMEM;
    if (st != MOULT_OK) {
        crypto->sha256_abort(crypto->context, &upload->hash);
        mem_free(upload);
        return st;
    }
    *out = upload;
    return MOULT_OK;
}

static enum moult_status write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) { continue; }
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) { return MOULT_E_SPACE; }
        if (n <= 0) { return MOULT_E_IO; }
        data += n;
        size -= (size_t)n;
    }
    return MOULT_OK;
}

enum moult_status artifact_upload_write(struct artifact_upload *upload, const void *data,
                                        size_t size)
{
    if (size > ARTIFACT_SIZE_MAX || upload->size + size > ARTIFACT_SIZE_MAX) {
        return MOULT_E_RANGE;
    }
    const struct moult_crypto *crypto = upload->store->crypto;
    if (!crypto->sha256_update(crypto->context, &upload->hash, data, size)) {
        return MOULT_E_IO;
    }
    enum moult_status st = write_all(upload->fd, data, size);
    if (st == MOULT_OK) { upload->size += size; }
    return st;
}

void artifact_upload_abandon(struct artifact_upload *upload)
{
    if (!upload) { return; }
    const struct moult_crypto *crypto = upload->store->crypto;
    crypto->sha256_abort(crypto->context, &upload->hash);
    if (upload->fd >= 0) { close(upload->fd); }
    unlink(upload->path);
    mem_free(upload);
}

/* Gives the synced file its final name; two uploads of the same bytes may both get here. */
static enum moult_status settle(struct artifact_upload *upload)
{
    const struct artifact_store *store = upload->store;
    char outer[PATH_SIZE], inner[PATH_SIZE], path[PATH_SIZE];
    path_of(store, upload->sha256, 1, outer);
    path_of(store, upload->sha256, 2, inner);
    path_of(store, upload->sha256, 3, path);
    bool ok = fsync(upload->fd) == 0 && make_folder(outer) && make_folder(inner) &&
              rename(upload->path, path) == 0 && sync_folder(inner) && sync_folder(outer) &&
              sync_folder(store->folder);
    if (ok) { return MOULT_OK; }
    return errno == ENOSPC ? MOULT_E_SPACE : MOULT_E_IO;
}

enum moult_status artifact_upload_finish(struct artifact_upload *upload, uint64_t *size,
                                         uint8_t found[32])
{
    const struct moult_crypto *crypto = upload->store->crypto;
    uint8_t digest[32];
    enum moult_status st = MOULT_E_IO;
    if (crypto->sha256_final(crypto->context, &upload->hash, digest)) {
        if (found) { memcpy(found, digest, 32); }
        st = memcmp(digest, upload->sha256, 32) == 0 ? settle(upload) : MOULT_E_DIGEST;
    }
    if (st == MOULT_OK) { *size = upload->size; }
    artifact_upload_abandon(upload); /* a settled file no longer has the temporary name */
    return st;
}

/* --- download ------------------------------------------------------------------------- */

static bool is_checked(const struct artifact_store *store, const uint8_t sha256[32])
{
    for (size_t i = 0; i < store->checked_count; i++) {
        if (memcmp(store->checked[i], sha256, 32) == 0) { return true; }
    }
    return false;
}

bool artifact_is_checked(struct artifact_store *store, const uint8_t sha256[32])
{
    pthread_mutex_lock(&store->lock);
    bool result = is_checked(store, sha256);
    pthread_mutex_unlock(&store->lock);
    return result;
}

static void remember(struct artifact_store *store, const uint8_t sha256[32])
{
    pthread_mutex_lock(&store->lock);
    if (!is_checked(store, sha256)) {
        memcpy(store->checked[store->checked_next], sha256, 32);
        store->checked_next = (store->checked_next + 1) % CHECKED_MAX;
        if (store->checked_count < CHECKED_MAX) { store->checked_count++; }
    }
    pthread_mutex_unlock(&store->lock);
}

static enum moult_status hash_file(const struct moult_crypto *crypto, int fd,
                                   uint8_t digest[32])
{
    uint8_t piece[READ_SIZE];
    struct moult_sha256 hash = {0};
    off_t at = 0;
    ssize_t n = 1;
    bool ok = crypto->sha256_init(crypto->context, &hash);
    while (ok && (n = pread(fd, piece, sizeof piece, at)) > 0) {
        ok = crypto->sha256_update(crypto->context, &hash, piece, (size_t)n);
        at += n;
    }
    ok = ok && n == 0 && crypto->sha256_final(crypto->context, &hash, digest);
    if (!ok) { crypto->sha256_abort(crypto->context, &hash); }
    return ok ? MOULT_OK : MOULT_E_IO;
}

static enum moult_status check_file(struct artifact_store *store, const uint8_t sha256[32],
                                    int fd, const char *path)
{
    uint8_t digest[32];
    enum moult_status st = hash_file(store->crypto, fd, digest);
    if (st != MOULT_OK) { return st; }
    if (memcmp(digest, sha256, 32) == 0) {
        remember(store, sha256);
        return MOULT_OK;
    }
    char aside[PATH_SIZE + 16];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    return rename(path, aside) == 0 ? MOULT_E_DIGEST : MOULT_E_IO;
}

enum moult_status artifact_open(struct artifact_store *store, const uint8_t sha256[32],
                                int *fd, uint64_t *size)
{
    char path[PATH_SIZE];
    path_of(store, sha256, 3, path);
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0) { return errno == ENOENT ? MOULT_E_NOENT : MOULT_E_IO; }
    struct stat info;
    enum moult_status st = fstat(opened, &info) == 0 ? MOULT_OK : MOULT_E_IO;
    if (st == MOULT_OK && !artifact_is_checked(store, sha256)) {
        st = check_file(store, sha256, opened, path);
    }
    if (st != MOULT_OK) {
        close(opened);
        return st;
    }
    *fd = opened;
    *size = (uint64_t)info.st_size;
    return MOULT_OK;
}
