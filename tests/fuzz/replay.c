/* replay.c - runs a fuzz target over saved files, so that a corpus is also a test.
 *
 * Usage: fuzz_X FILE-OR-FOLDER ...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_SIZE_MAX = 1 << 20 };

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(INPUT_SIZE_MAX);
    size_t size = data ? fread(data, 1, INPUT_SIZE_MAX, f) : 0;
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees the very end */
    for (size_t i = 0; exact && i < size; i++) {
        exact[i] = data[i];
    }
    fclose(f);
    int rc = data && exact ? LLVMFuzzerTestOneInput(exact, size) : 1;
    free(exact);
    free(data);
    return rc;
}

int main(int argc, char **argv)
{
    int count = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && S_ISREG(info.st_mode)) {
            failed += replay_file(argv[i]) != 0;
            count++;
            continue;
        }
        DIR *dir = opendir(argv[i]);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            char path[4096];
            if (entry->d_name[0] == '.') { continue; }
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            failed += replay_file(path) != 0;
            count++;
        }
        if (dir) { closedir(dir); }
    }
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed || count == 0; /* an empty corpus proves nothing */
}
