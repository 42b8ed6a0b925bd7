/* conform.h - the judge of a port: one named test per promise of moult/port.h.
 *
 * Layer    tests/conformance: plain C11 over moult/port.h and formats/, no heap, no POSIX,
 *          so that it also runs on a chip. What only a host can do (a scripted HTTPS
 *          server, a program with arguments) is in tests/conformance/host/.
 * Memory   struct conform, about 14 KB, the caller's; static is best.
 * Threads  one: the port's.
 * Use it   Fill in a struct conform_fixture beside your port (ports/template/fixture.c is a
 *          start, tests/conformance/ports/ has two that are whole), then
 *
 *              make conformance PORT=DIR
 *
 *          or, on a chip, conform_run() from an application of its own. It prints a line
 *          per promise and writes to the free slots and the engine's store, so never run it
 *          on a device whose content matters.
 *
 * A promise that needs a reset is a step function that is called again after it, with the
 * next phase. All it remembers is in flash, in the store, and in `note`: on a chip nothing
 * else passes a reset. docs/PORTING.md lists the promises under the names printed here.
 */
#ifndef MOULT_TESTS_CONFORMANCE_CONFORM_H
#define MOULT_TESTS_CONFORMANCE_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "moult/component.h"
#include "moult/port.h"

#define CONFORM_NOTES 4u
#define CONFORM_TEXT_MAX 320u   /* bytes of a finding */
#define CONFORM_PHASES_MAX 600u /* resets of one promise: a cut at each flash operation */
#define CONFORM_ERASE_MS_MAX                                                               \
    400u /* a sector erase at its slowest, of the flash chips that ESP32 modules carry */

/* The scripted server of fixture.origin(). */
#define CONFORM_FILE_SIZE 50000u
#define CONFORM_FILE_PATH "/device/v1/artifact/conformance"
#define CONFORM_MIRROR_PATH "/mirror" /* answers with the bytes of the request's body */
uint8_t conform_file_byte(uint32_t offset);

/* Where a run is, so that it can go on after a reset. Zeroed: at the beginning. */
struct conform_progress {
    uint16_t promise; /* index */
    uint16_t phase;   /* of that promise; 0: not begun */
    uint16_t kept, broken, skipped;
    uint32_t note[CONFORM_NOTES]; /* of that promise, from phase to phase */
};

/* What a port's author supplies besides the port. Callbacks are not NULL unless marked
 * optional; all get `context`. */
struct conform_fixture {
    const char *name;
    void *context;
    uint32_t erase_ms_max; /* longest sector erase; 0: CONFORM_ERASE_MS_MAX */
    uint32_t image_size;   /* bytes of the image that runs, counted from the slot's start:
                              copied to a free slot it must boot. 0: as its headers say */
    const char *secret;    /* text no log may ever show, such as the device's private key;
                              NULL: only what the kit itself gives to the port counts */

    /* The port as it is now, after the last fresh() or restart(). */
    const struct moult_port *(*port)(void *context);
    /* Empties the engine's store and leaves a device that runs a confirmed image. False: it
     * cannot. */
    bool (*fresh)(void *context);
    /* Resets the device: RAM is gone, the bootloader runs. False: nothing boots. On a chip
     * it does not return: the application calls conform_run() again with the saved
     * progress. */
    bool (*restart)(void *context, enum moult_reset how);
    /* The clock that the application gives to moult_step(). */
    uint64_t (*now_ms)(void *context);

    /* Optional: keeps the progress over a reset (RTC memory). Called before every step. */
    void (*save)(void *context, const struct conform_progress *at);
    /* Optional: cut power at the operation-th flash operation from now (from 1), in the
     * kind-th way of cut_kinds. The calls under way fail then, or do not return; restart()
     * brings power back, and forgets a cut that has not struck. */
    void (*cut)(void *context, uint32_t operation, uint32_t kind);
    uint32_t cut_kinds;
    /* Optional: a region that data components are updated in; its content is lost. NULL:
     * the product has none. */
    const struct moult_region *(*region)(void *context);
    /* secure_version of the image that runs may be burnt: the eFuses are not real, or it
     * does not matter. */
    bool may_burn;
    /* Optional: whether the port asked for a reset since the last one. NULL: it just
     * happens. */
    bool (*reboot_asked)(void *context);
    /* Optional: starts a scripted server that the port trusts, in place of the one before,
     * that misbehaves as `fault` says (tests/support/faulty_origin.h; "stranger": with a
     * certificate the port must not trust; "mute": accepts and says nothing). Returns
     * "https://address:port", borrowed until the next call; NULL: it cannot. NULL as
     * callback: the port has no transport, or there is no server to try it on. */
    const char *(*origin)(void *context, const char *fault);
    /* Optional: give way while a request is polled. */
    void (*idle)(void *context);
    /* Optional: what the port has logged so far, as text, from offset. Bytes copied. */
    size_t (*logged)(void *context, size_t offset, char *out, size_t capacity);
    /* Where the report goes. */
    void (*print)(void *context, const char *text);
};

enum conform_verdict {
    CONFORM_KEPT,
    CONFORM_BROKEN,  /* finding says what was expected and found */
    CONFORM_SKIPPED, /* finding says why */
    CONFORM_RESTART, /* reset the device, then the next phase */
};

struct conform;

struct conform_promise {
    const char *name; /* "flash.erase-one-sector" */
    enum conform_verdict (*step)(struct conform *c);
};

/* Promises that belong together, ended by a NULL name. */
extern const struct conform_promise conform_port[], conform_flash[], conform_boot[],
    conform_region[], conform_store[], conform_transport[], conform_rest[];

/* Everything of the kit that does not need a host; ended by NULL. */
extern const struct conform_promise *const conform_groups[];

struct conform {
    const struct conform_fixture *fixture;
    struct conform_progress progress;
    struct moult_port port;        /* the fixture's, timed; only what must not take long */
    const struct moult_port *real; /* the fixture's own: for everything else */
    uint16_t phase;
    enum moult_reset how; /* for CONFORM_RESTART; MOULT_RESET_SOFTWARE unless changed */
    uint32_t longest_ms;  /* of any callback since it was zeroed */
    const char *longest;  /* its name */
    char finding[CONFORM_TEXT_MAX];
    uint8_t a[MOULT_SECTOR_SIZE], b[MOULT_SECTOR_SIZE];
};

/* Runs the promises whose name begins with `prefix` ("" : all), of groups ended by NULL,
 * from progress on. Prints a line for each, then "N kept, N broken, N skipped".
 * 0: none broken; 1: some; 2: no promise begins like that. */
int conform_run(struct conform *c, const struct conform_fixture *fixture,
                const struct conform_promise *const *groups, const char *prefix,
                const struct conform_progress *progress);

#endif
