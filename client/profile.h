/* profile.h - which server, which token, which CA.
 *
 * Layer    client.
 * Format   docs/cli/profiles.md: `key = value` lines with the keys server, token, ca.
 * Memory   texts of a profile are its own until client_profile_free().
 */
#ifndef MOULT_CLIENT_PROFILE_H
#define MOULT_CLIENT_PROFILE_H

#include "client/client.h"

#define CLIENT_PROFILE_FILE "moult.conf" /* in a data directory */
#define CLIENT_PROFILE_MAX 65536u        /* bytes of the file */
#define CLIENT_PROFILE_LINE_MAX 4096u    /* bytes of a line */

struct client_profile {
    char *path;                /* of the file that was read, or NULL */
    char *server, *token, *ca; /* or NULL */
    bool is_open_to_others;    /* the file holds a token and others may read it */
};

/* Where the profile `name` is kept: NULL or "" is "default". A name with a slash is a path:
 * of the file, or of a folder that holds moult.conf. Others are
 * $XDG_CONFIG_HOME/moult/NAME.conf (or
 * ~/.config/...). NULL: no memory, or neither XDG_CONFIG_HOME nor HOME is set. */
MOULT_MUST_CHECK char *client_profile_path(const char *name);

/* Read the file at path. A relative `ca` is taken from the file's folder.
 *
 * MOULT_OK; MOULT_E_NOENT: no such file; MOULT_E_IO; MOULT_E_FORMAT: error says the line;
 * MOULT_E_RANGE; MOULT_E_NOMEM. profile is empty on failure, error filled. */
MOULT_MUST_CHECK enum moult_status client_profile_read(const char *path,
                                                       struct client_profile *profile,
                                                       struct client_error *error);

/* The profile `name` (NULL: MOULT_PROFILE, else "default"), then MOULT_SERVER, MOULT_TOKEN
 * and MOULT_CA over it, then server (the option; may be NULL) over that. A named profile
 * must exist, the default one need not. As client_profile_read(). */
MOULT_MUST_CHECK enum moult_status client_profile_find(const char *name, const char *server,
                                                       struct client_profile *profile,
                                                       struct client_error *error);

void client_profile_free(struct client_profile *profile);

#endif
