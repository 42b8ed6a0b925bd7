/* selecting.h - is this device selected? Rows of the store as the subject of a selector.
 *
 * Layer    server/control, private to this folder.
 * Memory   an arena of the caller's for attributes and tags, read only when a selector
 *          asks.
 * Threads  any store thread.
 */
#ifndef MOULT_SERVER_CONTROL_SELECTING_H
#define MOULT_SERVER_CONTROL_SELECTING_H

#include "formats/selector.h"
#include "server/base/arena.h"
#include "server/control/internal.h"
#include "server/store/store_device.h"

#define SELECTING_ATTRIBUTES_MAX 320u /* 128 attr, 128 meta, 64 tags */

struct selecting {
    struct control *control;
    struct store_db *db;
    struct arena *arena;
    int64_t now_ms;
    const struct store_device *device; /* the one that is asked about */
    bool is_loaded;                    /* attributes of this device are in the arena */
    enum moult_status status;          /* of the store; sticky */
    size_t count;
    struct selecting_attribute {
        enum store_space space;
        const char *name, *value;
    } attributes[SELECTING_ATTRIBUTES_MAX];
    char id_text[33], digest_text[65]; /* fields that are made for the answer */
};

/* Parses the selector of an operator; on failure problem_field() is set (E2102). */
MOULT_MUST_CHECK enum moult_status selecting_parse(const char *text,
                                                   struct moult_selector *selector,
                                                   const char *field,
                                                   struct control_problem *problem);

void selecting_init(struct selecting *selecting, struct control *control,
                    struct store_db *db, struct arena *arena, int64_t now_ms);
/* Whether the device is selected. */
bool selecting_matches(struct selecting *selecting, const struct moult_selector *selector,
                       const struct store_device *device);
/* The first term that does not hold, as it is written; size 0: all hold. */
struct moult_bytes selecting_failing_term(struct selecting *selecting,
                                          const struct moult_selector *selector,
                                          const struct store_device *device);

#endif
