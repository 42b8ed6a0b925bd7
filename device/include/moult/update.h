/* update.h - the update engine: keeps one device's firmware up to date.
 *
 * Layer    device, public. Design: docs/design/device-session.md.
 * Memory   one struct moult_session, MOULT_SESSION_SIZE bytes at most, owned by the
 *          caller; no heap.
 * Threads  one thread calls everything here; the engine starts none and never blocks. A
 *          wake that arrives on another thread is handed over by the port.
 * Power    may be cut at any instruction: everything that matters is journalled before it
 *          is done, and moult_session_init() + moult_step() pick it up
 *          (docs/design/journal.md).
 *
 * Use it   moult_session_init(&session, &port, &config);
 *          moult_health_add(&session, &check) for each thing a new image must prove;
 *          forever: while (moult_step(&session, now_ms()) == MOULT_STEP_AGAIN) { }
 *                   sleep at most moult_wait_ms(&session, now_ms()).
 */
#ifndef MOULT_UPDATE_H
#define MOULT_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "moult/port.h"

#define MOULT_HEALTH_MAX 8u      /* checks an application may register */
#define MOULT_ATTRIBUTES_MAX 32u /* name/value pairs in the facts */

/* When the device checks in by itself. Wakes and trials are obeyed in every mode. */
enum moult_trigger {
    MOULT_TRIGGER_HYBRID, /* on wakes and by the server's interval */
    MOULT_TRIGGER_PULL,   /* by the server's interval only; wakes are ignored */
    MOULT_TRIGGER_PUSH,   /* on wakes, after boot, and once a day */
};

struct moult_attribute {
    const char *name;  /* 1..32 printable ASCII */
    const char *value; /* 0..64 printable ASCII */
};

/* What an application answers when it is asked. */
enum moult_answer { MOULT_ANSWER_YES, MOULT_ANSWER_LATER, MOULT_ANSWER_NO };

/* What is about to happen, for the application and its user. Strings live for the call. */
struct moult_offer {
    const char *version; /* display version of the offered release */
    uint64_t sequence;
    uint32_t size;          /* bytes of the image */
    bool consent_needed;    /* the policy asks for the user's consent */
    uint8_t deferrals_left; /* how often the user may still say later; 0 also when not
                               limited */
};

/* One device. Constant while the session lives; strings and arrays borrowed as long. A
 * field left 0 takes its default. */
struct moult_config {
    /* --- Who this is --- */
    uint8_t device_id[16];       /* fixed at enrolment */
    uint16_t chip_id;            /* ESP chip_id, e.g. 5 for ESP32-C3 */
    uint16_t chip_revision;      /* major * 100 + minor, e.g. 4 for v0.4 */
    uint32_t flash_size;         /* bytes */
    uint32_t bootloader_version; /* 0: left out of the facts */
    uint32_t posture;            /* bits of the facts' key 15 */
    const uint8_t
        *table_digest;  /* SHA-256 of the compiled-in partition table; NULL: not compared */
    const char *serial; /* printable ASCII; NULL: left out */
    const struct moult_attribute *attributes; /* attribute_count of them */
    uint32_t attribute_count;                 /* 0..MOULT_ATTRIBUTES_MAX */

    /* --- Where and when it checks in --- */
    const char *base_url;       /* "https://host[:port]", the part before /device/v1 */
    enum moult_trigger trigger; /* default hybrid */
    uint32_t interval_s;        /* until the server names one. Default 3600 */
    uint32_t interval_min_s;    /* shortest interval obeyed. Default 30 (the demo says 1) */
    uint32_t cold_boot_wait_max_s; /* spread of the first check-in after a boot. Default
                                      300; UINT32_MAX: none */
    uint32_t trial_interval_s;     /* between check-ins while on trial. Default 60 */
    uint32_t http_timeout_ms;      /* nothing moved. Default 30,000 */

    /* --- Retries --- */
    uint32_t backoff_first_ms;   /* default 2,000; doubles, +-50 % jitter */
    uint32_t backoff_max_ms;     /* default 900,000; >= backoff_first_ms */
    uint32_t transfer_tries_max; /* failures in a row without progress before the attempt
                                    ends; default 8 */
    uint32_t activations_max;    /* reboots into one release after lost activations or power
                                    reverts. Default 3 */
    uint32_t failures_max;       /* failed trials before a release is blocked. Default 2 */

    /* --- Transfer --- */
    uint32_t window;       /* bytes asked for per range request: a multiple of 4,096, up to
                              1 MB. Default 65,536 */
    uint32_t piece;        /* bytes read per step, 1..4,096. Default 4,096 */
    uint32_t rate_min_bps; /* slower than this over a window ends the attempt (E_XFER_SLOW).
                              Bytes per second; default 64 */
    uint32_t transfer_deadline_s; /* from the first byte, all windows and pauses. Default
                                     86,400 */
    uint32_t progress_s;          /* between two "downloading" reports. Default 30 */

    /* --- Trial --- */
    uint32_t confirm_timeout_s; /* when the policy names none. Default 300 */

    /* --- The application's hooks. Optional. --- */
    void *context;
    /* Asked before a download, and again before the reboot. NULL: yes, unless consent is
     * needed. */
    enum moult_answer (*may_update)(void *context, const struct moult_offer *offer);
    /* Told just before the reset: persist what must not be lost. */
    void (*before_reboot)(void *context);
};

/* One thing a new image must prove before it is confirmed. */
enum moult_health { MOULT_HEALTH_WAIT, MOULT_HEALTH_OK, MOULT_HEALTH_FAILED };

struct moult_health_check {
    const char *name; /* 1..32 printable ASCII; appears in the failure's report. Borrowed */
    enum moult_health (*run)(
        void *context); /* called about once a second while it says WAIT */
    void *context;
    uint32_t deadline_ms; /* still WAIT so long after the trial began: failed. 0: confirm
                             timeout */
    uint16_t reason;      /* MOULT_R_*, 801..809, of a failure: it says whether the release
                             is worth another try. 0: TRIAL_SELFTEST, or TRIAL_TIMEOUT */
};

enum moult_step {
    MOULT_STEP_AGAIN,  /* did a bounded amount of work; call again soon */
    MOULT_STEP_WAIT,   /* nothing to do before moult_wait_ms() or a wake */
    MOULT_STEP_REBOOT, /* the port was asked to reboot; call nothing any more */
};

struct moult_session; /* defined in moult/session.h, for its size only */

/* Begin. Reads nothing yet: the first steps load the journal and look at how the chip
 * booted. MOULT_OK; MOULT_E_ARG: a field of port or config is outside what it allows. */
MOULT_MUST_CHECK enum moult_status moult_session_init(struct moult_session *session,
                                                      const struct moult_port *port,
                                                      const struct moult_config *config);

/* Register a health check; before the first step, or at any time when no trial is under
 * way. MOULT_OK; MOULT_E_SPACE: MOULT_HEALTH_MAX are registered; MOULT_E_ARG: no name or
 * function. */
MOULT_MUST_CHECK enum moult_status moult_health_add(struct moult_session *session,
                                                    const struct moult_health_check *check);

/* At most one bounded piece of work: <= 4 KB moved, or one sector erased, or one statement
 * verified. now_ms: monotonic milliseconds since boot. */
MOULT_MUST_CHECK enum moult_step moult_step(struct moult_session *session, uint64_t now_ms);

/* How long to sleep when moult_step() said WAIT; 0: not at all. At most 1 h at a time. */
uint32_t moult_wait_ms(const struct moult_session *session, uint64_t now_ms);

/* A wake message, as the broker delivered it (<= 64 bytes of CBOR). Anything malformed,
 * repeated or older is ignored. */
void moult_wake(struct moult_session *session, const uint8_t *payload, size_t size,
                uint64_t now_ms);

/* Check in now (a button, a maintenance tool). */
void moult_check_now(struct moult_session *session, uint64_t now_ms);

/* Hold and go on: while paused nothing is downloaded, written or activated; check-ins go
 * on. A trial is not paused. */
void moult_pause(struct moult_session *session);
void moult_resume(struct moult_session *session);

/* At most so many bytes per second of download from now on; 0: no limit. */
void moult_throttle(struct moult_session *session, uint32_t bytes_per_s);

/* Whether an unconfirmed image runs: no deep sleep now, it would count as a failed trial.
 */
bool moult_on_trial(const struct moult_session *session);

/* The application gives the trial up, e.g. because its user asked. MOULT_OK; MOULT_E_STATE:
 * none. */
MOULT_MUST_CHECK enum moult_status moult_reject(struct moult_session *session);

/* For displays and logs. */
struct moult_progress {
    uint8_t state;     /* a number of its own; moult_state_name() of log.h has the word */
    uint16_t detail;   /* newest E_ code, 0 none */
    uint32_t offset;   /* bytes of the image written and hashed */
    uint32_t size;     /* bytes of the image; 0: no plan */
    uint64_t sequence; /* of the running release; 0 unmanaged */
    uint64_t offered;  /* sequence of the plan's release; 0: no plan */
    uint8_t reports;   /* waiting in the outbox */
    bool on_trial;
};
void moult_progress(const struct moult_session *session, struct moult_progress *out);

#endif
