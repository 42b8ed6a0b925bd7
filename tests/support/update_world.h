/* update_world.h - a whole update on a table: a simulated ESP32-C3, the engine, and a
 * scripted server whose statements are really signed.
 *
 * Use it   static struct world w; world_make(&w); change any field; world_boot(&w,
 *          MOULT_RESET_POWER_ON); world_settle(&w); look at the slots, at w.reports and at
 *          w.session; world_free(&w).
 *
 * Deterministic but for the keys (world_make_as() can fix them too). Version 1.0.0
 * (sequence 1) runs in ota_0 and is confirmed; the server offers 1.1.0 (sequence 2), about
 * 9 KB. Time passes by itself: 1 ms per step, and the whole wait when the engine waits.
 * Plans of w.device.chip.flash cut power as everywhere else.
 */
#ifndef MOULT_TESTS_SUPPORT_UPDATE_WORLD_H
#define MOULT_TESTS_SUPPORT_UPDATE_WORLD_H

#include "moult/session.h"
#include "tests/support/sim_device.h"
#include "tests/support/statements.h"

enum {
    WORLD_IMAGE_MAX = 16384,
    WORLD_IMAGE_SIZE = 9000, /* of the segment; the image is a little more */
    WORLD_REPORTS_MAX = 64,
    WORLD_STEPS_MAX = 200000, /* of one world_settle(): more is a loop */
    WORLD_BOOTS_MAX = 40,
};

struct world_image {
    uint8_t data[WORLD_IMAGE_MAX];
    uint32_t size;
    uint8_t digest[32];
    uint64_t sequence;
};

/* What to make of an image; 0 and NULL are the usual. */
struct world_image_options {
    uint64_t sequence;
    const char *version;
    uint64_t rollback_floor; /* 0: 1 */
    uint32_t secure_version;
    uint16_t chip_id;        /* 0: ESP32-C3 */
    uint32_t size;           /* of the segment */
    const uint8_t *class_id; /* of the record */
    bool without_record, without_keyset;
};

/* A report as the server stored it, once per idempotency key. */
struct world_report {
    uint64_t boot_id;
    uint32_t sequence;
    uint8_t kind;
    uint16_t reason, detail;
    uint32_t native, offset;
    uint8_t deployment[16];
    uint8_t reset;
    bool has_reset;
    char text[MOULT_REPORT_TEXT_MAX + 1];
    unsigned copies; /* how often it arrived */
};

/* Another component of the release, and its artifact: "/device/v1/artifact/NAME". */
struct world_part {
    uint8_t component;
    const char *name;
    const uint8_t *data;
    uint32_t size;
    uint8_t digest[32];
};

/* How the artifact comes. */
enum world_transfer {
    WORLD_GOOD,
    WORLD_NO_RANGES,    /* 200 and the whole file, whatever was asked */
    WORLD_WRONG_RANGE,  /* 206 of another place */
    WORLD_WRONG_TOTAL,  /* 206 with a total that is not the file's */
    WORLD_WRONG_LENGTH, /* 200 with a length that is not the file's */
    WORLD_TOO_LONG,     /* more bytes than announced */
    WORLD_CUT,          /* every response ends after transfer_at bytes, connection lost */
    WORLD_CUT_ONCE,     /* the first one does */
    WORLD_SHORT,        /* every response ends after transfer_at bytes, as if complete */
    WORLD_STALL,        /* headers, then nothing until the timeout */
    WORLD_DRIBBLE,      /* one byte every ten seconds */
    WORLD_CHANGED,      /* after transfer_at bytes the file is another one (other ETag) */
    WORLD_CHANGING,     /* every answer has another ETag */
    WORLD_SHORT_RANGE,  /* 206 of at most transfer_at bytes, and says so */
    WORLD_FLIPPED,      /* one bit of the file is wrong */
    WORLD_STATUS,       /* transfer_at is the status */
    WORLD_REFUSE,       /* no connection */
};

/* How a world may differ from the usual; all zero is the usual. */
struct world_options {
    struct sim_layout layout; /* slot_count 0: two slots, no factory */
    bool from_factory;        /* the factory app runs, otadata is blank */
    bool is_fixed;            /* keys and signatures are the same in every run, and there
                                  is no heap: a world may be copied with memcpy() */
    uint32_t image_size;      /* of the segments of both images */
    uint32_t new_secure_version;
    uint64_t new_floor;        /* rollback floor of the new release */
    uint8_t release_threshold; /* 0: 1 */
};

/* What passed through the port's callbacks since world_make(), and what must never. */
struct world_seen {
    unsigned kv_sets;
    unsigned marks_valid;  /* mark_valid() that were let through */
    unsigned wrong_marks;  /* while another slot was selected, or of another image */
    unsigned unknown_logs; /* ids that log.h and the code table do not know */
    unsigned power_cuts;   /* boots after a cut */
    const char *panic;     /* what the flash refused to believe; NULL: nothing */
    uint32_t panic_at;
};

struct world {
    struct sim_device device;
    struct moult_session session;
    struct moult_port port;
    struct moult_config config;
    uint64_t now_ms;
    uint64_t random; /* state of the generator */
    bool has_entropy;

    struct statements_fleet fleet;
    struct world_image old, new;
    uint8_t home, target; /* slots: where the old image is, where the new one goes */
    struct world_seen seen;
    unsigned boots;          /* since world_make() */
    uint8_t stage;           /* of the plan, before the newest step */
    unsigned foreign_boots;  /* of them into something that is neither old nor new */
    uint64_t crash_sequence; /* this image panics crash_after steps after it booted */
    unsigned crash_after, crash_left;
    uint8_t crash_reset;         /* 0: MOULT_RESET_PANIC */
    bool is_encrypted;           /* the slots: 16-byte units, written once per erase */
    uint8_t unit;                /* 32: a write off this is a panic as well; 0: no matter */
    enum moult_health health[4]; /* by sequence of the running image */
    unsigned health_asked;
    unsigned reboots_told; /* calls of before_reboot */
    enum moult_answer answer;

    /* --- faults of the platform; all count down or stay until cleared --- */
    struct moult_port sim; /* the callbacks of the simulated chip */
    const char *kv_fails;  /* sets of keys that begin so fail */
    unsigned kv_noops;     /* sets that only claim to be done */
    unsigned erase_fails, write_fails, write_noops;
    int32_t set_boot_error, mark_valid_error, mark_invalid_error;
    uint8_t battery_percent; /* 0: mains */
    uint8_t signal_dbm;
    const char *hook_state;          /* when the engine reaches this state ... */
    void (*hook)(struct world *w);   /* ... this happens, once */
    void (*rewire)(struct world *w); /* after every boot: puts callbacks into w->port */
    void (*begun)(struct world *w);  /* after every boot: the session, before its steps */
    void *own;                       /* whatever those callbacks need; borrowed */

    /* --- the server --- */
    bool is_down; /* refuses connections */
    enum moult_net_failure down_kind;
    uint16_t checkin_status; /* 0: 200 */
    uint32_t retry_after_s;
    uint32_t next_s;
    bool is_pending;          /* answers without an assignment */
    enum moult_action action; /* of the order */
    struct moult_release release;
    struct statements_bytes release_envelope;
    uint16_t release_status;
    uint8_t release_digest[32];
    uint8_t deployment[16];
    struct moult_policy policy;
    uint32_t policy_keys;     /* its present bits; 0: no policy in the order */
    uint64_t counter, unix_s; /* unix_s at now_ms 0 */
    uint32_t keyset_hint;
    unsigned keyset_count; /* keysets[0] is version 2, ... */
    struct statements_bytes keysets[2];
    bool has_endless_keysets;          /* makes every version that is asked for */
    uint32_t endpoints_hint;           /* newest endpoint list named in replies; 0: none */
    struct statements_bytes endpoints; /* served, whichever is asked for; size 0: 404 */
    unsigned endpoints_requests;
    struct statements_bytes first_order; /* the first that was answered with, as sent */
    struct statements_bytes raw_order;   /* size > 0: sent as it is */
    uint32_t order_padding;              /* zero bytes behind the envelope */
    unsigned order_keys;                 /* signers; 0: the first assign key */
    void (*tweak_order)(struct world *w, struct moult_assignment *order);
    void (*spoil_payload)(
        struct statements_bytes *payload); /* of the order, before signing */
    void (*spoil_envelope)(struct statements_bytes *envelope); /* after */
    uint8_t served_nonce[16];
    bool keeps_offering; /* also after the deployment's result */
    bool says_gone;      /* every report is answered with "gone" */

    struct world_part parts[MOULT_RELEASE_COMPONENTS_MAX - 1]; /* sources of the order */
    unsigned part_count;
    enum world_transfer transfer;
    uint32_t transfer_at;
    const char *second_url; /* a source before the good one, or NULL */
    const char *away_url;   /* connections for this path are refused; or NULL */

    struct world_report reports[WORLD_REPORTS_MAX];
    unsigned report_count;
    unsigned checkins, posts, artifact_requests, keyset_requests, release_requests;
    uint64_t artifact_bytes;
    struct moult_checkin last_checkin; /* values only: its pointers are dead */
    uint32_t last_facts;               /* present bits */

    struct {
        bool is_open, has_headers;
        int kind; /* enum of update_world.c */
        uint8_t body[MOULT_REPLY_SIZE_MAX + 4096];
        const uint8_t *data;
        uint32_t size, done, cut;
        const uint8_t *file; /* that is asked for */
        uint32_t file_size;
        uint64_t begun_ms, next_ms;
        struct moult_http_reply reply;
        uint32_t timeout_ms;
    } http;
};

void world_make(struct world *w);
void world_make_as(struct world *w, const struct world_options *options);
void world_free(struct world *w);
/* Begin again as `fresh` was, without making keys and images again. */
void world_copy(struct world *w, const struct world *fresh);
/* Give back what a session that is abandoned mid-way still holds; keys stay. */
void world_forget(struct world *w);

/* Make an image; offer one: release statement, digests, deployment id "deployment-0000N".
 * */
void world_image(struct world *w, struct world_image *image,
                 const struct world_image_options *options);
void world_offer(struct world *w, const struct world_image *image);
/* Sign w->release again after a field was changed, with the keys of the set (0: as usual).
 * */
void world_sign_release(struct world *w, unsigned keys);
void world_deployment(struct world *w, char number);

/* Write an image into a slot as a programmer with a cable would. */
void world_put(struct world *w, uint32_t slot, const struct world_image *image);

/* Power on or reset: a fresh session on what the flash holds. False: nothing boots. */
MOULT_MUST_CHECK bool world_boot(struct world *w, uint8_t reset);

/* One step, or a reboot. False: power is off (a planned cut). */
MOULT_MUST_CHECK bool world_step(struct world *w);

/* Steps, through reboots, until `count` further check-ins were answered and all is quiet:
 * idle, no plan, no trial, nothing in the outbox. False: power went off, or it never
 * settled. */
MOULT_MUST_CHECK bool world_settle(struct world *w);
/* For moult_sim_flash.panic with the world as its context: kept in seen.panic. */
void world_note_panic(void *context, const char *what, uint32_t offset);
/* Idle, no plan, no trial, nothing in the outbox. */
bool world_is_quiet(const struct world *w);
/* Until the server has heard of this detail. False: power went off, or never. */
MOULT_MUST_CHECK bool world_hears(struct world *w, uint16_t detail);
/* Until the state has that name. False: power went off, or never. */
MOULT_MUST_CHECK bool world_until(struct world *w, const char *state);

bool world_runs(const struct world *w, const struct world_image *image);
/* Whether the bootloader would start what is in a slot. */
bool world_slot_boots(const struct world *w, uint32_t slot);
const uint8_t *world_slot(const struct world *w, uint32_t slot);
/* What the session is doing: the name of its state. */
const char *world_state(const struct world *w);

/* One thing to break, and what the device must say of it. */
struct world_refusal {
    const char *name;
    void (*spoil)(void);
    uint16_t detail;
    uint8_t kind; /* enum moult_report_kind */
    bool fetches; /* the artifact may have been asked for; an event then does not end it */
};

/* Breaks it, boots, and hears. False: printed what was heard instead. */
MOULT_MUST_CHECK bool world_refuses(struct world *w, const struct world_refusal *row);

/* The newest report of a kind; NULL: none. And the newest with a detail. */
const struct world_report *world_report_of(const struct world *w,
                                           enum moult_report_kind kind);
const struct world_report *world_report_with(const struct world *w, uint16_t detail);
unsigned world_count(const struct world *w, enum moult_report_kind kind);

#endif
