/* plan_sizes.h - sizes as users write them, and the sizes of past releases.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PLAN_SIZES_H
#define MOULT_CLI_PLAN_SIZES_H

#include "cli/cli.h"

#define PLAN_RELEASES_MAX 4096u /* of a history; more is not a history but a mistake */

struct plan_release {
    const char *version;
    uint32_t size; /* bytes of the image */
};

/* Oldest first. */
struct plan_history {
    struct plan_release *list;
    uint32_t count, room;
};

/* "4M", "512K", "0x1e0000", "1234". MOULT_E_FORMAT; MOULT_E_RANGE: 4 GB and more. */
MOULT_MUST_CHECK enum moult_status plan_size(const char *text, uint32_t *out);

/* The same of an option; `otherwise` where it is not given. Returns CLI_OK, or has
 * failed. */
MOULT_MUST_CHECK int plan_size_option(struct cli *cli, unsigned option, uint32_t otherwise,
                                      uint32_t *out);

/* "1.50 MB", "388 KB", "12 B". */
const char *plan_size_words(struct cli *cli, uint64_t size);

void plan_history_add(struct cli *cli, struct plan_history *history, const char *version,
                      uint32_t size);

/* Lines of version,size; '#' begins a comment, a first line "version,size" is passed over.
 * Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int plan_history_read(struct cli *cli, const char *path,
                                       struct plan_history *history);

/* The releases of a class on the server, by sequence. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int plan_history_fetch(struct cli *cli, const char *class_name,
                                        struct plan_history *history);

/* Bytes of an application image in a file, signature sector included. Returns CLI_OK, or
 * has failed. */
MOULT_MUST_CHECK int plan_image_size(struct cli *cli, const char *path,
                                     struct plan_release *out);

#endif
