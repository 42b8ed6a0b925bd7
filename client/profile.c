/* profile.c - see profile.h. */
#include "client/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/mem.h"

/* --- where ---------------------------------------------------------------------------- */

static char *path_of_path(const char *name)
{
    struct stat about;
    if (stat(name, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return client_mem_copy(name);
    }
    return client_mem_print("%s/" CLIENT_PROFILE_FILE, name);
}

char *client_profile_path(const char *name)
{
    if (!name || name[0] == '\0') { name = "default"; }
    if (strchr(name, '/')) { return path_of_path(name); }
    const char *config = getenv("XDG_CONFIG_HOME");
    if (config && config[0] == '/') {
        return client_mem_print("%s/moult/%s.conf", config, name);
    }
    const char *home = getenv("HOME");
    if (!home || home[0] == '\0') { return NULL; }
    return client_mem_print("%s/.config/moult/%s.conf", home, name);
}

/* --- reading -------------------------------------------------------------------------- */

static bool replace(char **slot, const char *text)
{
    char *copy = client_mem_copy(text);
    if (!copy) { return false; }
    client_mem_free(*slot);
    *slot = copy;
    return true;
}

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1])) {
        text[--size] = '\0';
    }
    return text;
}

/* A relative path is taken from the folder of the profile: data directories can be moved.
 */
static bool set_ca(struct client_profile *profile, const char *path, const char *value)
{
    const char *slash = strrchr(path, '/');
    if (value[0] == '/' || !slash) { return replace(&profile->ca, value); }
    char *full = client_mem_print("%.*s/%s", (int)(slash - path), path, value);
    if (!full) { return false; }
    client_mem_free(profile->ca);
    profile->ca = full;
    return true;
}

static enum moult_status bad_line(struct client_error *error, const char *path,
                                  unsigned line, const char *want, const char *have)
{
    char found[CLIENT_WORDS_MAX];
    (void)snprintf(found, sizeof found, "%s (%s:%u)", have, path, line); /* may be cut */
    client_error_set(error, MOULT_D_CONF_SYNTAX, want, found);
    return MOULT_E_FORMAT;
}

static enum moult_status no_memory(struct client_error *error)
{
    client_error_set(error, MOULT_D_CLI_REPLY, "memory for it", "none left");
    error->status = MOULT_E_NOMEM;
    return MOULT_E_NOMEM;
}

static enum moult_status read_line(struct client_profile *profile, const char *path,
                                   unsigned number, char *line, struct client_error *error)
{
    char *text = trim(line);
    if (text[0] == '\0' || text[0] == '#') { return MOULT_OK; }
    char *equal = strchr(text, '=');
    if (!equal) { return bad_line(error, path, number, "key = value", text); }
    *equal = '\0';
    const char *key = trim(text);
    const char *value = trim(equal + 1);
    if (value[0] == '\0') { return bad_line(error, path, number, "a value", "nothing"); }
    bool ok = true;
    if (strcmp(key, "server") == 0) {
        ok = replace(&profile->server, value);
    } else if (strcmp(key, "token") == 0) {
        ok = replace(&profile->token, value);
    } else if (strcmp(key, "ca") == 0) {
        ok = set_ca(profile, path, value);
    } else {
        return bad_line(error, path, number, "server, token or ca", key);
    }
    return ok ? MOULT_OK : no_memory(error);
}

static enum moult_status read_lines(FILE *file, const char *path,
                                    struct client_profile *profile,
                                    struct client_error *error)
{
    char line[CLIENT_PROFILE_LINE_MAX];
    size_t total = 0;
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        size_t size = strlen(line);
        total += size;
        if (size + 1 == sizeof line || total > CLIENT_PROFILE_MAX) {
            return bad_line(error, path, number, "shorter lines and at most 64 KiB",
                            "more");
        }
        enum moult_status st = read_line(profile, path, number, line, error);
        if (st != MOULT_OK) { return st; }
    }
    if (!ferror(file)) { return MOULT_OK; }
    client_error_set(error, MOULT_D_CLI_FILE_READ, path, strerror(errno));
    return MOULT_E_IO;
}

enum moult_status client_profile_read(const char *path, struct client_profile *profile,
                                      struct client_error *error)
{
    *profile = (struct client_profile){0};
    FILE *file = fopen(path, "re");
    if (!file) {
        enum moult_status st =
            errno == ENOENT || errno == ENOTDIR ? MOULT_E_NOENT : MOULT_E_IO;
        client_error_set(error, MOULT_D_CLI_FILE_READ, path, strerror(errno));
        return st;
    }
    enum moult_status st = read_lines(file, path, profile, error);
    struct stat about;
    if (profile->token && fstat(fileno(file), &about) == 0) {
        profile->is_open_to_others = (about.st_mode & 077u) != 0;
    }
    (void)fclose(file); /* read only: nothing can get lost */
    if (st == MOULT_OK && !replace(&profile->path, path)) { st = no_memory(error); }
    if (st != MOULT_OK) { client_profile_free(profile); }
    return st;
}

/* --- choosing ------------------------------------------------------------------------- */

static bool take_environment(char **slot, const char *name)
{
    const char *value = getenv(name);
    return !value || value[0] == '\0' || replace(slot, value);
}

/* A token is for the server it was given for: with another server it stays at home. */
static bool set_server(struct client_profile *profile, const char *server)
{
    if (!server || server[0] == '\0') { return true; }
    if (profile->server && strcmp(profile->server, server) != 0) {
        client_mem_free(profile->token);
        profile->token = NULL;
    }
    return replace(&profile->server, server);
}

static enum moult_status read_named(const char *name, struct client_profile *profile,
                                    struct client_error *error)
{
    *profile = (struct client_profile){0};
    char *path = client_profile_path(name);
    if (!path) {
        if (!name) { return MOULT_OK; } /* no home: no default profile, which is no error */
        client_error_set(error, MOULT_D_CLI_FILE_READ, name,
                         "neither HOME nor XDG_CONFIG_HOME");
        return MOULT_E_NOENT;
    }
    enum moult_status st = client_profile_read(path, profile, error);
    client_mem_free(path);
    return st == MOULT_E_NOENT && !name ? MOULT_OK : st;
}

enum moult_status client_profile_find(const char *name, const char *server,
                                      struct client_profile *profile,
                                      struct client_error *error)
{
    if (!name) { name = getenv("MOULT_PROFILE"); }
    if (name && name[0] == '\0') { name = NULL; }
    enum moult_status st = read_named(name, profile, error);
    if (st != MOULT_OK) { return st; }
    if (!server || server[0] == '\0') { server = getenv("MOULT_SERVER"); }
    bool ok = set_server(profile, server) &&
              take_environment(&profile->token, "MOULT_TOKEN") &&
              take_environment(&profile->ca, "MOULT_CA");
    if (ok) { return MOULT_OK; }
    client_profile_free(profile);
    return no_memory(error);
}

void client_profile_free(struct client_profile *profile)
{
    client_mem_free(profile->path);
    client_mem_free(profile->server);
    client_mem_free(profile->token);
    client_mem_free(profile->ca);
    *profile = (struct client_profile){0};
}
