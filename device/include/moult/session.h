/* session.h - the update engine's state, in the open so that its size can be budgeted.
 *
 * Layer    device, public for its size only: use the functions of update.h. Nothing here is
 *          stored or sent; what survives a reset is in the journal
 *          (docs/design/journal.md).
 * Memory   one struct per device, static or on the heap of the caller. It holds every
 *          buffer the engine needs; nothing else is allocated, ever.
 */
#ifndef MOULT_SESSION_H
#define MOULT_SESSION_H

#include "formats/assignment.h"
#include "formats/endpoints.h"
#include "formats/esp_image.h"
#include "formats/image_info.h"
#include "formats/keyset.h"
#include "formats/message_checkin.h"
#include "formats/release.h"
#include "moult/update.h"

#define MOULT_SESSION_SIZE 14336u /* bytes of struct moult_session at most, on any target */

enum {
    MOULT_RECORD_MAX = 512,  /* bytes of the largest small record, framed (the plan: 368) */
    MOULT_RECORD_HEADER = 8, /* before the payload of a record */
    MOULT_RECORD_TRAILER = 4,     /* CRC behind it */
    MOULT_RECORD_COUNT = 9,       /* kinds of two-bank records */
    MOULT_OUTBOX_ENTRIES = 8,     /* reports waiting; a message carries as many */
    MOULT_BLOCKS_MAX = 4,         /* releases remembered as failed; the oldest goes */
    MOULT_VERDICT_TEXT_SIZE = 48, /* why a trial failed, with its NUL */
    MOULT_ATTRIBUTES_SIZE = 1024, /* bytes of all attributes, encoded */
};

/* What went wrong last: for reports and displays. */
struct moult_trouble {
    uint16_t detail; /* MOULT_D_*; 0 none */
    uint16_t reason; /* MOULT_R_* */
    int32_t native;  /* of the platform; a status; a code of the last source */
};

/* What runs now. */
struct moult_running {
    struct moult_boot_info boot;
    bool is_managed; /* carries a moult_image_info; else info is zero */
    struct moult_image_info info;
    uint32_t size;      /* of the image proper */
    uint8_t digest[32]; /* over size bytes: the running digest */
};

/* Rollback floor of the class, as stored. */
struct moult_floor {
    uint64_t stored;  /* lowest sequence that may be installed */
    uint32_t applied; /* keyset version from which floors were last taken */
    bool
        is_own_muted; /* the running image's own floor does not count (a root lowered it) */
    uint64_t refreshed_s; /* unix time of the last look for a newer keyset; 0 never */
};

/* One release that failed here. */
struct moult_block {
    uint8_t release[32]; /* payload digest; all zero: free */
    uint8_t
        deployment[16]; /* under which it failed last: never tried again under that one */
    uint8_t failures;   /* trials lost for health */
};

/* What the user has left of putting one deployment off. */
struct moult_deferral {
    uint8_t deployment[16];
    uint8_t left;     /* how often "later" may still be said */
    uint64_t since_s; /* unix time of the last "later" */
};

/* The update in hand, as journalled (journal.h says how). */
struct moult_plan {
    uint8_t stage; /* enum moult_stage; NONE: no plan, the rest is meaningless */
    uint8_t slot;  /* written */
    uint8_t from;  /* slot that ran when the plan was made: the way back */
    uint8_t component, encoding;
    uint8_t attempts;    /* transfers begun under this deployment */
    uint8_t activations; /* boot slot set for this plan */
    bool has_head;       /* head and etag are known */
    uint32_t size;       /* of the result */
    uint8_t digest[32];
    uint32_t transfer_size;
    uint8_t transfer_digest[32];
    uint8_t release[32]; /* payload digest */
    uint8_t deployment[16];
    uint64_t sequence, rollback_floor;
    char version[MOULT_RELEASE_VERSION_MAX + 1];
    uint16_t chip_id, revision_min, revision_max;
    uint8_t secure_version;
    uint32_t confirm_timeout_s;
    uint64_t deadline_s;                    /* unix; 0 none */
    uint8_t head[MOULT_ESP_HELD_BACK_SIZE]; /* held back until everything else is proven */
    char etag[MOULT_ETAG_MAX];
    struct moult_trouble verdict; /* of a failed trial */
    char verdict_text[MOULT_VERDICT_TEXT_SIZE];
};

/* Progress of a transfer: docs/design/journal.md, "progress". */
struct moult_mark {
    uint32_t index;     /* next 4 KB block */
    uint32_t offset;    /* bytes of output written and hashed */
    uint8_t digest[32]; /* SHA-256 of [0, offset) */
};

struct moult_outbox {
    uint32_t number[MOULT_OUTBOX_ENTRIES];     /* order of arrival, from 1; 0: free */
    uint8_t kind[MOULT_OUTBOX_ENTRIES];        /* enum moult_report_kind */
    uint32_t deployment[MOULT_OUTBOX_ENTRIES]; /* CRC-32 of the deployment id */
    uint32_t next_number;
    uint32_t next_sequence; /* of this boot */
    uint8_t sent;           /* set of entries in the message under way */
};

struct moult_routes;

/* Small and busy members come first: a RISC-V load reaches 2 KB with one instruction. */
struct moult_session {
    const struct moult_port *port;
    struct moult_routes *routes; /* endpoint lists (endpoints.h); NULL: base_url only */

    uint8_t state; /* enum moult_state */
    uint8_t phase; /* within the state; 0 on entry */
    bool is_paused, is_rebooting;
    uint16_t disabled; /* detail that switches updates off (E_ANCHOR, E_PTABLE); 0 none */
    uint16_t reply_size, work_size; /* bytes in the buffers */
    uint64_t now_ms;                /* of the step under way */
    uint64_t wait_until_ms;         /* the state waits; 0: it does not */
    struct moult_trouble trouble;

    /* The transfer, and every other walk over a slot. */
    struct {
        struct moult_mark mark;
        uint64_t begun_ms;         /* first request; 0 not begun */
        uint64_t request_ms;       /* of the request under way */
        uint64_t next_ms;          /* back-off or throttle */
        uint64_t reported_ms;      /* last "downloading" report; 0 none */
        uint32_t request_bytes;    /* body bytes received in it */
        uint32_t request_left;     /* body bytes still to come */
        uint32_t skip;             /* bytes to read over: a 200 where a range was asked */
        uint32_t offset;           /* position in VERIFY, REHASH, MEASURE */
        uint32_t throttle_bps;     /* 0 none */
        uint16_t fill;             /* bytes in work */
        uint8_t failures;          /* in a row without progress */
        uint8_t changes;           /* of the file under its name, since the plan was made */
        uint8_t write_tries;       /* of the sector in hand */
        bool is_open;              /* a request is under way */
        bool has_headers;          /* and its headers have come */
        bool is_second;            /* this source was asked from 0 once more */
        uint8_t first_digest[32];  /* of the first sector, head included, from VERIFY */
        uint8_t signed_digest[32]; /* of all but the last sector, for Secure Boot */
    } transfer;

    /* When to talk, and what was said. */
    struct {
        uint64_t due_ms;              /* next check-in */
        uint64_t not_before_ms;       /* asked for by Retry-After or a back-off */
        uint64_t wake_seq;            /* highest seen in this boot */
        uint64_t wake_at_ms;          /* when the newest wake is to be followed */
        uint64_t nonce_ms;            /* of the newest check-in; 0: none yet */
        uint64_t looked_ms;           /* for a newer keyset, in this boot */
        uint32_t interval_s;          /* as told */
        uint32_t failures;            /* in a row */
        struct moult_trouble failure; /* first of the row */
        uint8_t nonce[MOULT_NONCE_SIZE];
        bool has_nonce, facts_due, keyset_tried;
        bool is_installing;  /* the newest order says install; at boot: a plan was there */
        uint8_t keyset_hops; /* keysets adopted in this contact */
        uint8_t next_state;  /* enum moult_state: where REPORT goes on */
        uint8_t release_tries;    /* failed fetches of a release statement in a row */
        uint32_t keyset_hint;     /* newest version named in the reply */
        uint32_t endpoints_hint;  /* likewise */
        struct moult_bytes order; /* assignment envelope within reply; empty: none */
        /* Told last, so that it is told once: of orders and deployments; of keysets. */
        struct moult_told {
            uint16_t detail, reason;
            uint8_t kind; /* enum moult_report_kind */
            uint8_t deployment[16];
        } told, told_keyset;
        uint64_t held_until_ms; /* deferred, and not to be looked at again before */
        uint8_t deployment[16]; /* of the order in force; zeros: none */
        uint8_t ended[16];      /* told as failed in this boot: not tried again */
    } contact;

    struct {
        uint64_t begun_ms, poll_ms;
        uint8_t result[MOULT_HEALTH_MAX]; /* enum moult_health */
        uint8_t count, next;
        bool is_on;       /* an unconfirmed image runs */
        bool has_contact; /* a valid assignment answered this boot's check-in */
        bool is_rejected; /* the application said no */
        uint8_t mark_tries;
        struct moult_health_check checks[MOULT_HEALTH_MAX];
    } trial;

    struct moult_plan plan; /* in hand */
    struct moult_running running;
    struct moult_config config; /* with defaults filled in */
    struct moult_floor floor;
    struct moult_deferral deferral;
    struct moult_outbox outbox;
    uint64_t boot_id;
    uint64_t time_base_s, time_at_ms; /* trusted unix time at an instant; base 0: none */

    /* The assignment in force, in parts. */
    struct moult_policy policy;
    uint64_t iat_s;
    uint8_t source_index;  /* in the assignment */
    bool is_verified_here; /* VERIFY passed in this boot, the slot untouched since */
    bool is_adopted;       /* the slot was not written in this boot, only said to hold it */
    uint8_t order_count;
    struct moult_order_record orders[MOULT_KEYSET_ASSIGN_KEYS_MAX];
    uint32_t generation[MOULT_RECORD_COUNT]; /* of the newest bank of each record */

    struct moult_plan offer; /* what the newest order asks for, before it is the plan */
    /* Components besides the application (component.h); all zero without any. */
    struct {
        const struct moult_component_hooks *hooks; /* NULL: none is registered */
        struct moult_data_component *first;        /* ascending id */
        uint32_t app_size; /* of the application, while the offer is of another one */
        uint8_t app_digest[32];
        uint8_t id;      /* in hand; 0: none */
        bool is_loaded;  /* the journal was read */
        bool is_written; /* the plan's bytes are all there, not read back yet */
        bool is_proving; /* the state COMPONENT was entered from RECHECK */
        bool is_failed;  /* one could not be applied: the deployment's result */
    } parts;
    struct moult_block blocks[MOULT_BLOCKS_MAX];
    char url[MOULT_SOURCE_URL_MAX + 1]; /* of the request, or of the source */
    struct moult_http_reply http;
    struct moult_sha256 hash;
    struct {
        bool is_good;
        uint16_t size;
        struct moult_keyset keyset; /* borrows bytes */
        uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    } trust;
    union { /* one at a time; whoever needs it fills it */
        struct moult_assignment assignment;
        struct moult_release release;
        struct moult_keyset keyset;
        struct moult_endpoints endpoints;
        struct moult_checkin checkin;
        struct moult_checkin_reply reply;
        struct {
            struct moult_reader reader;
            struct moult_esp_image image;
            struct moult_esp_check check;
        } image;
    } scratch;

    uint8_t record[MOULT_RECORD_MAX];     /* a small record, while read or written */
    uint8_t reply[MOULT_REPLY_SIZE_MAX];  /* newest check-in reply: the assignment stays */
    uint8_t work[MOULT_SECTOR_SIZE + 64]; /* a request, a framed statement, or a sector */
};
_Static_assert(sizeof(struct moult_session) <= MOULT_SESSION_SIZE, "RAM budget");

#endif
