/* vectors.c - see vectors.h. */
#include "tests/support/vectors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/spec.h"

static void give_up(const char *what, const char *where)
{
    fprintf(stderr, "vectors.c: %s: %s\n", where, what);
    abort();
}

json_t *vectors_load(const char *source_dir, const char *name)
{
    char path[512];
    json_error_t error;
    snprintf(path, sizeof path, "%s/../shared/vectors/%s", source_dir, name);
    if (access(path, R_OK) != 0) {
        printf("SKIP: no test vectors at %s\n", path);
        return NULL;
    }
    json_t *root = json_load_file(path, 0, &error);
    if (!root) { give_up(error.text, path); }
    return root;
}

const char *vectors_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

size_t vectors_hex(const json_t *object, const char *member, uint8_t *out, size_t capacity)
{
    const json_t *value = json_object_get(object, member);
    if (!json_is_string(value)) { give_up("missing", member); }
    return hex_bytes(json_string_value(value), out, capacity);
}

void vectors_base64url32(const json_t *object, const char *member, uint8_t out[32])
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *text = vectors_text(object, member);
    uint32_t bits = 0;
    unsigned count = 0;
    size_t size = 0;
    for (; *text; text++) {
        const char *at = strchr(digits, *text);
        if (!at) { give_up("not base64url", member); }
        bits = bits << 6 | (uint32_t)(at - digits);
        count += 6;
        if (count < 8) { continue; }
        count -= 8;
        if (size == 32) { give_up("longer than 32 bytes", member); }
        out[size++] = (uint8_t)(bits >> count);
    }
    if (size != 32) { give_up("not 32 bytes", member); }
}
