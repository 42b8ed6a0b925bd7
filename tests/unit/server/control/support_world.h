/* support_world.h - a control with a real store in a folder of its own, releases that are
 * real images, and devices that speak to it as devices do.
 *
 * Use it   struct world *w = world_open(NULL); ... world_close(w). Failures of the fixture
 *          abort.
 */
#ifndef MOULT_TESTS_UNIT_SERVER_CONTROL_SUPPORT_WORLD_H
#define MOULT_TESTS_UNIT_SERVER_CONTROL_SUPPORT_WORLD_H

#include "server/control/admin.h"
#include "server/control/checkin.h"
#include "server/control/registry.h"
#include "server/control/releases.h"
#include "server/control/rollouts.h"
#include "server/control/wakes.h"
#include "server/control/why.h"
#include "tests/support/statements.h"

#define WORLD_T0 1800000000000 /* ms */
#define WORLD_DEVICES_MAX 1300u
#define WORLD_IMAGE_MAX 4096u

/* A device as the server sees it. */
struct toy {
    uint8_t spki[32], id[16];
    uint8_t digest[32]; /* of the running image */
    uint64_t sequence;
    uint8_t running_state;
    uint64_t counter; /* highest order counter it has stored */
    uint64_t boot_id;
    uint32_t report_sequence;
    bool has_told_facts;
    uint32_t slot_size;     /* told with the facts; 0: not */
    uint8_t old_digest[32]; /* to go back to */
    uint64_t old_sequence;
};

/* A release that is stored, and its image. */
struct world_release {
    char version[16];
    uint64_t sequence;
    uint8_t image[WORLD_IMAGE_MAX];
    uint32_t size;
    uint8_t digest[32];         /* of the image */
    uint8_t payload_sha256[32]; /* assignment key 11 */
    struct statements_bytes envelope;
};

struct world {
    char folder[64];
    struct control_config config;
    struct clock_manual time;
    struct clock clock;
    struct random_seeded seed;
    struct random random;
    struct statements_fleet fleet;
    struct store *store;
    struct artifact_store *artifacts;
    struct metrics *metrics;
    struct control *control;
    struct control_problem problem; /* of the last call */
    struct toy toys[WORLD_DEVICES_MAX];
};

/* What a device was told. */
struct told {
    uint16_t status;
    uint16_t detail;
    uint32_t next_s;
    bool went_to_writer;
    bool has_order;
    struct moult_assignment order; /* borrows from `result` */
    bool has_policy_stage_only;
    uint8_t deployment[16];
    uint8_t gone_count;
    bool send_facts;
    struct control_checkin_result result;
};

/* Production defaults, but trust on first use, intervals of seconds, no soak unless a test
 * says so. change may alter the configuration; NULL. */
struct world *world_open(void (*change)(struct control_config *config));
void world_close(struct world *world);
/* As if moultd had been stopped and started again, `away_ms` later. */
void world_restart(struct world *world, uint64_t away_ms);
/* The two halves of a restart. */
void world_stop(struct world *world);
void world_start(struct world *world);

int64_t world_now(const struct world *world);
void world_wait(struct world *world, uint64_t ms); /* turns the clock */
/* The tick and the flush that control_timer() would post. */
void world_tick(struct world *world);

/* Runs a call of the operator API in a job, as a handler does. */
struct world_call {
    struct control_call call;
    enum moult_status (*run)(struct world_call *call);
    const void *argument, *more;
    json_t *reply;
    bool is_new;
    enum moult_status status;
};
/* Runs call->run on the writer; the reply is the caller's. dry_run as given in
 * call->call. */
enum moult_status world_run(struct world *world, struct world_call *call);
/* The usual ones. NULL: refused, world->problem says why. */
json_t *world_rollout(struct world *world, const char *body_json, bool dry_run);
json_t *world_verb(struct world *world, const char *rollout, const char *verb);
json_t *world_show_rollout(struct world *world, const char *rollout);
json_t *world_show_device(struct world *world, const struct toy *toy);
json_t *world_why(struct world *world, const struct toy *toy);
json_t *world_device_verb(struct world *world, const struct toy *toy, const char *verb);
/* Member of an object by path "phases.0.state"; NULL when it is not there. */
const json_t *world_at(const json_t *object, const char *path);
const char *world_text(const json_t *object, const char *path);
long long world_number(const json_t *object, const char *path);

/* An image that says of itself what the release says, its artifact, and the release. */
void world_make_image(struct world *world, const char *version, uint64_t sequence,
                      struct world_release *out);
/* Stores the image and signs a statement over it; not posted yet. */
void world_sign(struct world *world, struct world_release *release);
bool world_put_artifact(struct world *world, const struct world_release *release);
json_t *world_post_release(struct world *world, const struct statements_bytes *envelope);
void world_release(struct world *world, const char *version, uint64_t sequence,
                   struct world_release *out);

/* The n-th device, running this release; unknown to the server. */
struct toy *world_toy(struct world *world, unsigned n, const struct world_release *running);
/* count devices that are registered, accepted and run this release. */
void world_toys(struct world *world, unsigned count, const struct world_release *running);

/* A check-in, with up to 8 reports; kind 255: no more. */
struct toy_report {
    uint8_t kind;
    uint16_t reason, detail;
    const uint8_t *deployment; /* NULL: none */
    uint32_t offset;
    const char *text;
    uint32_t repeat_sequence; /* 0: the next one; else this sequence again */
};
struct told world_checkin(struct world *world, struct toy *toy,
                          const struct toy_report *reports, unsigned count);
/* A check-in whose job fails at its very end, as when the disk is full: nothing of it is
 * kept.
 */
void world_checkin_lost(struct world *world, struct toy *toy);
/* POST report. */
struct told world_report(struct world *world, struct toy *toy,
                         const struct toy_report *reports, unsigned count);

/* Takes a device from its offer through download, reboot and confirm. works: whether the
 * new image passes its health check; else it goes back and says R806. False: it was not
 * offered anything. */
bool world_update(struct world *world, struct toy *toy, const struct world_release *to,
                  bool works);

/* Whether the counters of every rollout in memory equal a recount of its rows. */
bool world_recounts(struct world *world);
/* Rows of a table, by SQL: the test looks behind the curtain. */
long long world_sql(struct world *world, const char *sql);

#endif
