/* power.h - the power suite: a whole update, and a cut at every operation of it.
 *
 * A *case* is a product (a row of power_configs) and a *story* (what the new image, the
 * server and the operator do). A *run* is one device that lives through a case under a
 * *schedule* of faults until it has come to rest, watched by every invariant of
 * invariants.c. docs/design/power-suite.md is the page of all this.
 *
 * Use it   power_case_make(); then power_begin(), power_finish() for one run; sweep.c and
 *          deep.c say which runs there are.
 *
 * All state of a run is in one struct without pointers to the heap, so that a run is copied
 * with memcpy(): a sweep walks through the story once and lets every cut branch off.
 */
#ifndef MOULT_TESTS_POWER_POWER_H
#define MOULT_TESTS_POWER_POWER_H

#include "tests/support/fixed_crypto.h"
#include "tests/support/update_world.h"

enum {
    POWER_CUTS_MAX = 5,      /* of one schedule: brownout loops (F10) */
    POWER_EVENTS_MAX = 12,   /* other faults of one deep schedule */
    POWER_ORDERS_MAX = 3,    /* fresh ones within which the new image must run (I7) */
    POWER_STEPS_MAX = 20000, /* of a run: more is a loop */
    POWER_SECTORS = SIM_FLASH_SIZE / MOULT_SECTOR_SIZE,
    POWER_ID_MAX = 160,      /* bytes of the line that replays a run */
    POWER_HEAP_SLACK = 4096, /* bytes the host's libraries may keep for themselves */

    /* Wear of one update without faults, of the sector worn most (I8). Each further life
     * that a cut or another fault begins may cost as much again. */
    POWER_BOOTS = 4,        /* at power on, into the trial, again, and back (I7, I8) */
    POWER_WEAR_FIRST = 5,   /* first sector: emptied, written, once more if the bytes were
                               wrong, and ended if it fails */
    POWER_WEAR_OTHER = 2,   /* any other sector of the slot */
    POWER_WEAR_OTADATA = 4, /* set boot, trial begins, verdict; a torn entry is aborted */
    POWER_WEAR_NVS = 6,     /* a page of the key-value store */
    POWER_WEAR_SETS = 60,   /* values written to it */
};

/* --- axes (axes.c) --- */

struct power_config {
    const char *name;
    uint8_t unit; /* bytes of an encryption unit; 0: flash encryption is off */
    bool has_rollback, has_anti_rollback, has_factory;
    uint8_t slot_count;
    uint8_t encoding;    /* of the artifact: MOULT_ENCODING_NONE; patches are to follow */
    uint32_t image_size; /* 0: the usual; else only for two nested cuts */
};
extern const struct power_config power_configs[];
extern const unsigned power_config_count;

struct power_fault {
    const char *name;
    enum moult_sim_fault fault;
    uint32_t torn_size;
    uint32_t seed;
};
extern const struct power_fault power_faults[];
extern const unsigned power_fault_count;

/* How a story ends for a device that nothing else happens to. */
enum power_end { POWER_ENDS_NEW, POWER_ENDS_OLD };

struct power_story {
    const char *name, *what;
    enum power_end end;
    enum moult_report_kind result; /* the final report */
    bool needs_factory, needs_rollback;
    void (*prepare)(struct world *w);
};
extern const struct power_story power_stories[];
extern const unsigned power_story_count;

/* Whether a story can be told of a product. */
bool power_applies(unsigned config, unsigned story);

/* --- schedules --- */

struct power_cut {
    uint32_t after; /* operations since the last cut, or the beginning: 1 is the next one */
    uint8_t fault;  /* of power_faults */
};

/* Anything else that goes wrong; deep.c makes them. */
enum power_event_kind {
    POWER_EVENT_FAIL,    /* an operation fails (F6) */
    POWER_EVENT_NOOP,    /* an operation does nothing (F7) */
    POWER_EVENT_READ,    /* reads fail for a while (F6) */
    POWER_EVENT_FLIP,    /* a bit flips at rest (F9) */
    POWER_EVENT_RESET,   /* a reset of class `value` (F11) */
    POWER_EVENT_CLOCK,   /* the server's clock jumps (F13) */
    POWER_EVENT_FULL,    /* the store is full for a while (F14) */
    POWER_EVENT_LIE,     /* the store says that it stored, and did not (F7) */
    POWER_EVENT_NO_NVS,  /* the store is erased (F14) */
    POWER_EVENT_NETWORK, /* the connection is lost (F16, in part) */
    POWER_EVENT_KINDS,
};

struct power_event {
    uint8_t kind;
    uint32_t at;    /* step of the run */
    uint64_t value; /* where, how long, which: by kind */
};

struct power_schedule {
    struct power_cut cuts[POWER_CUTS_MAX];
    unsigned cut_count;
    struct power_event events[POWER_EVENTS_MAX];
    unsigned event_count;
    bool is_deep; /* made from `seed` by power_deep_schedule() */
    uint64_t seed;
};

/* --- a run (run.c) --- */

/* What a run remembers of itself, for the invariants. */
struct power_history {
    uint32_t steps, boots, recoveries;
    unsigned cuts;      /* that struck */
    unsigned events;    /* that struck */
    unsigned kinds;     /* bits of power_event_kind that struck */
    uint64_t trace;     /* digest of everything that happened */
    bool is_started;    /* power was on once */
    unsigned orders;    /* fresh ones, given after all faults were over */
    bool is_bricked;    /* nothing started, and power had not gone */
    bool was_confirmed; /* otadata has called the new image VALID */
    bool was_proven;    /* the new image was verified, and its slot not written since */
    bool was_adopted;   /* a newer keyset is stored */
    bool has_hung;      /* too many steps */
    uint64_t floor;     /* highest that was stored */
    uint64_t counter;   /* highest that an order had */
    uint32_t burnt;     /* secure_version bits before the newest boot */
    uint8_t otadata[2][MOULT_OTADATA_SIZE]; /* likewise */
    bool verified[4];     /* likewise: whether ota_0..2 and the factory app verify */
    uint8_t forced_reset; /* enum moult_reset of the next step; 0: none */
    uint32_t full_until;  /* step at which the store takes values again */
    uint32_t down_until;  /* and the network messages */
    unsigned requests_at_verdict; /* artifact requests when the trial was lost; 0: never */
    struct {
        uint8_t phase; /* of the end: see rest() in run.c */
        unsigned checkins, requests;
    } end;
};

struct power_run {
    struct world w;
    struct power_history h;
    uint16_t erases[POWER_SECTORS];
    unsigned config, story;
    struct power_schedule schedule;
    uint32_t armed_at; /* operation count from which the next cut is counted */
};

/* Prepares a case: images, statements, flash. Every later power_begin() starts from it.
 */
void power_case_make(unsigned config, unsigned story);
/* Bits of secure_version that are burnt. */
uint32_t power_burnt(const struct world *w);
/* What the flash held in the beginning. */
const uint8_t *power_first_flash(void);

/* The run that lives: there is one, and it does not move. */
struct power_run *power_live(void);
void power_save(struct power_run *copy);
void power_restore(const struct power_run *copy);

void power_begin(const struct power_schedule *schedule);
/* One step, boot or reset, with the invariants that hold at any time. False: it is over. */
bool power_advance(struct power_run *run);
/* Until it is over. */
void power_finish(struct power_run *run);
/* The cut that the schedule has next, into the flash: counted from now, or from the last
 * time. */
void power_arm(struct power_run *run);
void power_plan_cut(struct power_run *run);
/* What the schedule has for this step (deep.c). */
void power_events(struct power_run *run);

/* --- invariants (invariants.c) --- */

struct power_invariant {
    const char *name, *claim;
    const char *held_by; /* where it is proven instead, or beside */
    bool (*at_step)(const struct power_run *run);
    bool (*at_boot)(const struct power_run *run);
    bool (*at_loss)(const struct power_run *run); /* power has gone */
    bool (*at_end)(const struct power_run *run);
};
extern const struct power_invariant power_invariants[];
extern const unsigned power_invariant_count;

enum power_moment { POWER_AT_STEP, POWER_AT_BOOT, POWER_AT_LOSS, POWER_AT_END };
/* Asks all of them; the first that does not hold is kept by power_broken(). */
void power_check(const struct power_run *run, enum power_moment moment);
/* NULL: everything held since power_begin(). */
const struct power_invariant *power_broken(void);
void power_forgive(void);

/* Wear of a run, for the summary (I8). */
struct power_wear {
    unsigned slot_first, slot_other, otadata, nvs; /* erases of the sector worn most */
    unsigned kv_sets;
};
struct power_wear power_wear_of(const struct power_run *run);

/* --- the line that repeats a run (id.c) --- */

/* CONFIG:STORY:CUT:FAULT:SEED; CUT and FAULT are lists joined by "+", or "deep" and "any"
 * where the seed makes them. */
void power_id(unsigned config, unsigned story, const struct power_schedule *schedule,
              char out[POWER_ID_MAX]);
/* False: not such a line. */
bool power_parse_id(const char *text, unsigned *config, unsigned *story,
                    struct power_schedule *schedule);
bool power_find_config(const char *name, unsigned *out);
bool power_find_story(const char *name, unsigned *out);

/* --- which runs (sweep.c, deep.c) --- */

enum { POWER_CONFIGS_MAX = 40, POWER_STORIES_MAX = 16, POWER_FAULTS_MAX = 32 };

/* What a worker has done; the parent adds them up. */
struct power_totals {
    uint64_t runs, cuts, nested, deep, repeated, failures;
    uint64_t operations; /* of the stories without a fault */
    uint64_t by_config[POWER_CONFIGS_MAX], by_story[POWER_STORIES_MAX];
    uint64_t by_fault[POWER_FAULTS_MAX], by_event[POWER_EVENT_KINDS];
    struct power_wear wear; /* most in a story without a fault */
    struct fixed_crypto_counts crypto;
    /* The run in hand, for whoever finds this process dead. */
    unsigned config, story;
    struct power_schedule schedule;
    bool is_busy;
};

struct power_effort {
    unsigned ways;         /* how many of power_faults at each operation; 0: all */
    unsigned seeds;        /* repetitions with other seeds; 1 at least */
    unsigned nested_every; /* of the first cuts of two nested ones, each n-th */
    unsigned deep;         /* schedules */
    uint64_t seed;         /* of the first deep one */
    unsigned repeat_every; /* each n-th run is repeated from its line (I17) */
};

/* Cuts at every operation of a case. */
void power_sweep(unsigned config, unsigned story, const struct power_effort *effort,
                 struct power_totals *totals);
/* For every n-th first cut (of those whose number leaves the rest `part` by `parts`), a
 * second one at every operation of the recovery. */
struct power_part {
    unsigned part, parts;
};
void power_sweep_twice(unsigned config, unsigned story, struct power_part part,
                       const struct power_effort *effort, struct power_totals *totals);

/* A schedule of cuts and other faults, and the case it is for. */
void power_deep_schedule(uint64_t seed, unsigned *config, unsigned *story,
                         struct power_schedule *out);
void power_deep(uint64_t seed, const struct power_effort *effort,
                struct power_totals *totals);

/* The live run begins, as far as `totals` shall know; and has ended: counted, printed if
 * something did not hold, now and then repeated. */
void power_note(struct power_totals *totals);
void power_judge(const struct power_effort *effort, struct power_totals *totals);

#endif
