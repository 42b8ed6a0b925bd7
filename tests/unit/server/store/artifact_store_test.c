/* artifact_store_test.c - server/store/artifact_store.c */
#include "server/store/artifact_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"

static struct moult_crypto crypto;
static char folder[64];

static void digest_of(const char *text, uint8_t out[32])
{
    if (moult_sha256_once(&crypto, (const uint8_t *)text, strlen(text), out) != MOULT_OK) {
        abort();
    }
}

static struct artifact_store *fresh(void)
{
    static int number;
    snprintf(folder, sizeof folder, "artifact_store_test.%d.%d", (int)getpid(), number++);
    struct artifact_store *store = NULL;
    if (artifact_store_open(folder, &crypto, &store) != MOULT_OK) { abort(); }
    return store;
}

static void drop(struct artifact_store *store)
{
    char command[128];
    artifact_store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) { abort(); }
}

static enum moult_status put(struct artifact_store *store, const char *text,
                             const uint8_t sha256[32])
{
    struct artifact_upload *upload = NULL;
    uint64_t size = 0;
    enum moult_status st = artifact_upload_begin(store, sha256, &upload);
    for (size_t i = 0; st == MOULT_OK && i < strlen(text); i++) {
        st = artifact_upload_write(upload, text + i, 1);
    }
    if (st == MOULT_OK) { return artifact_upload_finish(upload, &size, NULL); }
    artifact_upload_abandon(upload);
    return st;
}

static void path_of(const uint8_t sha256[32], char out[200])
{
    char hex[65];
    moult_hex_encode(sha256, 32, hex);
    snprintf(out, 200, "%s/%.2s/%.2s/%s", folder, hex, hex + 2, hex);
}

static void test_what_was_stored_is_read_back(void)
{
    struct artifact_store *store = fresh();
    uint8_t sha256[32];
    int fd = -1;
    uint64_t size = 0;
    char back[8] = {0};
    digest_of("abc", sha256);
    check_equal(artifact_open(store, sha256, &fd, &size), MOULT_E_NOENT);
    check_equal(put(store, "abc", sha256), MOULT_OK);
    check_equal(put(store, "abc", sha256), MOULT_E_EXISTS);
    check(!artifact_is_checked(store, sha256));
    check_equal(artifact_open(store, sha256, &fd, &size), MOULT_OK);
    check(artifact_is_checked(store, sha256));
    check_equal(size, 3);
    check_equal(pread(fd, back, sizeof back, 0), 3);
    check(strcmp(back, "abc") == 0);
    close(fd);
    drop(store);
}

static void test_other_bytes_than_named_are_not_kept(void)
{
    struct artifact_store *store = fresh();
    uint8_t sha256[32], found[32], expected[32];
    struct artifact_upload *upload = NULL;
    uint64_t size = 0;
    int fd = -1;
    digest_of("abc", sha256);
    digest_of("abd", expected);
    check_equal(artifact_upload_begin(store, sha256, &upload), MOULT_OK);
    check_equal(artifact_upload_write(upload, "abd", 3), MOULT_OK);
    check_equal(artifact_upload_finish(upload, &size, found), MOULT_E_DIGEST);
    check_bytes(found, expected, 32);
    check_equal(artifact_open(store, sha256, &fd, &size), MOULT_E_NOENT);
    drop(store);
}

static void test_damage_on_disk_is_found_at_the_first_open(void)
{
    struct artifact_store *store = fresh();
    uint8_t sha256[32];
    char path[200], aside[220];
    uint64_t size = 0;
    int fd = -1;
    digest_of("abc", sha256);
    check_equal(put(store, "abc", sha256), MOULT_OK);
    path_of(sha256, path);
    FILE *f = fopen(path, "r+b");
    check(f != NULL);
    fputc('x', f);
    fclose(f);
    check_equal(artifact_open(store, sha256, &fd, &size), MOULT_E_DIGEST);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    check(access(aside, F_OK) == 0);
    check_equal(put(store, "abc", sha256), MOULT_OK); /* and it can be stored again */
    check_equal(artifact_open(store, sha256, &fd, &size), MOULT_OK);
    close(fd);
    drop(store);
}

static void test_leftovers_of_a_cut_upload_go_at_the_next_open(void)
{
    struct artifact_store *store = fresh();
    uint8_t sha256[32];
    struct artifact_upload *upload = NULL;
    char path[100];
    digest_of("abc", sha256);
    check_equal(artifact_upload_begin(store, sha256, &upload), MOULT_OK);
    check_equal(artifact_upload_write(upload, "ab", 2), MOULT_OK);
    snprintf(path, sizeof path, "%s/tmp/0", folder);
    check(access(path, F_OK) == 0);
    struct artifact_store *again = NULL; /* as after a kill: the upload is never ended */
    check_equal(artifact_store_open(folder, &crypto, &again), MOULT_OK);
    check(access(path, F_OK) != 0);
    artifact_upload_abandon(upload);
    artifact_store_close(again);
    drop(store);
}

static void test_more_than_a_partition_is_refused(void)
{
    struct artifact_store *store = fresh();
    uint8_t sha256[32];
    struct artifact_upload *upload = NULL;
    static uint8_t zeros[1 << 20];
    digest_of("x", sha256);
    check_equal(artifact_upload_begin(store, sha256, &upload), MOULT_OK);
    for (int i = 0; i < 16; i++) {
        check_equal(artifact_upload_write(upload, zeros, sizeof zeros), MOULT_OK);
    }
    check_equal(artifact_upload_write(upload, zeros, 1), MOULT_E_RANGE);
    artifact_upload_abandon(upload);
    drop(store);
}

int main(void)
{
    crypto = keys_openssl_crypto();
    check_run(test_what_was_stored_is_read_back);
    check_run(test_other_bytes_than_named_are_not_kept);
    check_run(test_damage_on_disk_is_found_at_the_first_open);
    check_run(test_leftovers_of_a_cut_upload_go_at_the_next_open);
    check_run(test_more_than_a_partition_is_refused);
    return check_report();
}
