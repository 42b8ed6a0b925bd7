/* fleet_test.c - a small fleet that misbehaves: lost and repeated messages, failing images,
 * operators who change their minds, restarts, and a server that is killed. Counters must
 * equal rows always.
 *
 * Run one seed again: SEED=3 ROUNDS=40 build/.../test_server_control_fleet
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

#define FLEET 24u
#define SEEDS 6u
#define ROUNDS 25u

/* What a device is in the middle of. */
struct job {
    uint8_t deployment[16];
    bool is_busy;
    unsigned step; /* reports sent of its update */
};

struct play {
    struct world *w;
    uint64_t random;
    struct world_release v100, v110, v120;
    struct job jobs[FLEET];
    unsigned installs, confirms;
};

static uint64_t draw(struct play *p, uint64_t below)
{
    uint64_t z = (p->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static const struct world_release *release_of(const struct play *p, const uint8_t *payload)
{
    const struct world_release *all[] = {&p->v100, &p->v110, &p->v120};
    for (int i = 0; i < 3; i++) {
        if (memcmp(all[i]->payload_sha256, payload, 32) == 0) { return all[i]; }
    }
    return NULL;
}

/* Boots into the new image, on trial; or confirms it; or falls back. */
static void live(struct play *p, struct toy *toy)
{
    if (toy->running_state != MOULT_RUNNING_TRIAL) { return; }
    if (draw(p, 5) != 0) {
        toy->running_state = MOULT_RUNNING_CONFIRMED;
        p->confirms++;
        return;
    }
    memcpy(toy->digest, toy->old_digest, 32);
    toy->sequence = toy->old_sequence;
    toy->running_state = MOULT_RUNNING_CONFIRMED;
}

static void install(struct play *p, struct toy *toy, const struct told *told)
{
    const struct world_release *to = release_of(p, told->order.release_digest);
    assert_non_null(to);
    if (told->has_policy_stage_only) { return; }
    p->installs++;
    memcpy(toy->old_digest, toy->digest, 32);
    toy->old_sequence = toy->sequence;
    memcpy(toy->digest, to->digest, 32);
    toy->sequence = to->sequence;
    toy->running_state = MOULT_RUNNING_TRIAL;
}

/* A handful of reports of its job, some again, some not at all. */
static unsigned make_reports(struct play *p, struct job *job, struct toy *toy,
                             struct toy_report reports[4])
{
    static const uint8_t kinds[] = {MOULT_REPORT_DOWNLOADING, MOULT_REPORT_WRITTEN,
                                    MOULT_REPORT_VERIFIED,    MOULT_REPORT_REBOOTING,
                                    MOULT_REPORT_FAILED,      MOULT_REPORT_ROLLED_BACK,
                                    MOULT_REPORT_TRIAL,       MOULT_REPORT_CONFIRMED,
                                    MOULT_REPORT_DEFERRED,    MOULT_REPORT_EVENT};
    static const uint16_t reasons[] = {306, 601, 806, 801, 201, 502};
    unsigned count = (unsigned)draw(p, 4);
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = (unsigned)draw(p, draw(p, 4) == 0 ? 10 : 4);
        reports[i] = (struct toy_report){.kind = kinds[kind],
                                         .deployment = job->deployment,
                                         .offset = (uint32_t)draw(p, 400)};
        if (kind == 4 || kind == 5) { reports[i].reason = reasons[draw(p, 6)]; }
        if (draw(p, 5) == 0 && toy->report_sequence > 0) {
            reports[i].repeat_sequence = 1 + (uint32_t)draw(p, toy->report_sequence);
        }
    }
    return count;
}

static void act(struct play *p, unsigned n)
{
    struct toy *toy = &p->w->toys[n];
    struct job *job = &p->jobs[n];
    struct toy_report reports[4];
    if (draw(p, 10) == 0) { return; } /* asleep, or the message was lost */
    live(p, toy);
    unsigned count = job->is_busy ? make_reports(p, job, toy, reports) : 0;
    if (count > 0 && draw(p, 2) == 0) {
        assert_int_equal(world_report(p->w, toy, reports, count).status, 200);
        count = 0;
    }
    struct told told = world_checkin(p->w, toy, reports, count);
    assert_int_equal(told.status, 200);
    assert_true(told.next_s >= 1);
    job->is_busy = told.has_order && told.order.action == MOULT_ACTION_INSTALL;
    if (!job->is_busy) { return; }
    memcpy(job->deployment, told.deployment, 16);
    bool is_other = memcmp(toy->digest, told.order.sources[0].digest, 32) != 0;
    if (is_other && draw(p, 3) == 0) { install(p, toy, &told); }
}

/* Whatever is refused is refused with a reason; nothing else matters here. */
static void operate(struct play *p)
{
    static const char *const verbs[] = {"pause", "resume", "retry", "resume", "advance"};
    static const char *const names[] = {"a", "b"};
    unsigned choice = (unsigned)draw(p, 8);
    json_t *reply = NULL;
    if (choice < 5) {
        reply = world_verb(p->w, names[draw(p, 2)], verbs[choice]);
    } else if (choice == 5 && draw(p, 6) == 0) {
        reply = world_verb(p->w, names[draw(p, 2)], "abort");
    } else if (choice == 6) {
        reply =
            world_rollout(p->w,
                          "{\"name\":\"b\",\"release\":\"1.2.0\",\"phases\":"
                          "[{\"percent\":30,\"soak_s\":5},{\"rest\":true,\"soak_s\":5}]}",
                          draw(p, 3) == 0);
    } else {
        static const char *const states[] = {"quarantine", "release"};
        reply = world_device_verb(p->w, &p->w->toys[draw(p, FLEET)], states[draw(p, 2)]);
    }
    json_decref(reply);
}

static void open_play(struct play *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->random = seed;
    p->w = world_open(NULL);
    world_release(p->w, "1.0.0", 100, &p->v100);
    world_release(p->w, "1.1.0", 110, &p->v110);
    world_release(p->w, "1.2.0", 120, &p->v120);
    world_toys(p->w, FLEET, &p->v100);
    json_t *rollout = world_rollout(
        p->w,
        "{\"name\":\"a\",\"release\":\"1.1.0\",\"phases\":[{\"percent\":20,\"soak_s\":5},"
        "{\"percent\":60,\"soak_s\":5},{\"rest\":true,\"soak_s\":5}]}",
        false);
    assert_non_null(rollout);
    json_decref(rollout);
}

static void play_round(struct play *p)
{
    for (unsigned n = 0; n < FLEET; n++) {
        act(p, n);
    }
    world_wait(p->w, draw(p, 3000));
    if (draw(p, 20) == 0) { world_wait(p->w, draw(p, 2 * 3600000)); }
    if (draw(p, 3) == 0) { world_tick(p->w); }
    if (draw(p, 3) == 0) { operate(p); }
    if (draw(p, 12) == 0) { world_restart(p->w, draw(p, 5000)); }
}

static void assert_sound(struct play *p)
{
    assert_true(world_recounts(p->w));
    assert_int_equal(world_sql(p->w,
                               "SELECT count(*) FROM (SELECT device FROM assignment "
                               "WHERE state < 10 GROUP BY device HAVING count(*) > 1)"),
                     0);
    assert_int_equal(world_sql(p->w,
                               "SELECT count(*) FROM (SELECT 1 FROM event WHERE "
                               "boot_id NOT NULL GROUP BY device, boot_id, seq HAVING "
                               "count(*) > 1)"),
                     0);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 0) : otherwise;
}

static void test_counters_equal_rows_whatever_happens(void **state)
{
    (void)state;
    static struct play p;
    unsigned long seed = setting("SEED", 0), rounds = setting("ROUNDS", ROUNDS);
    unsigned installs = 0, confirms = 0;
    for (unsigned long i = seed ? seed : 1; i <= (seed ? seed : SEEDS); i++) {
        print_message("SEED=%lu ROUNDS=%lu\n", i, rounds);
        open_play(&p, i);
        for (unsigned long round = 0; round < rounds; round++) {
            play_round(&p);
            assert_sound(&p);
        }
        installs += p.installs;
        confirms += p.confirms;
        world_close(p.w);
    }
    if (!seed) { assert_true(installs > 20 && confirms > 10); } /* it went somewhere */
}

/* A killed server: what it had answered is stored, and memory is rebuilt to what rows
 * say. */
static void test_a_killed_server_comes_back_to_what_it_had_answered(void **state)
{
    (void)state;
    static struct play p;
    open_play(&p, 77);
    for (int kill_number = 0; kill_number < 6; kill_number++) {
        world_stop(p.w);
        int answered[2];
        assert_int_equal(pipe(answered), 0);
        pid_t pid = fork();
        if (pid == 0) {
            /* A restarted server does not draw the numbers of the killed one again. */
            p.w->seed.state += 1000003u * (unsigned)(kill_number + 1);
            world_start(p.w);
            for (uint32_t sequence = 1;; sequence++) {
                unsigned n = (unsigned)draw(&p, FLEET);
                struct toy *toy = &p.w->toys[n];
                toy->boot_id = 900000 + (uint64_t)kill_number;
                struct toy_report report = {.kind = MOULT_REPORT_EVENT,
                                            .repeat_sequence = sequence};
                if (world_report(p.w, toy, &report, 1).status != 200) { _exit(1); }
                act(&p, n);
                if (write(answered[1], &sequence, sizeof sequence) < 0) { _exit(1); }
            }
        }
        close(answered[1]);
        usleep(60000 + 40000 * (unsigned)kill_number);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        uint32_t sequence = 0, last = 0;
        while (read(answered[0], &sequence, sizeof sequence) == sizeof sequence) {
            last = sequence;
        }
        close(answered[0]);
        world_start(p.w);
        char sql[160];
        snprintf(sql, sizeof sql,
                 "SELECT count(DISTINCT seq) FROM event WHERE boot_id = %d AND seq <= %u "
                 "AND kind = 'report.event'",
                 900000 + kill_number, (unsigned)last);
        assert_int_equal(world_sql(p.w, sql), last);
        assert_sound(&p);
    }
    world_close(p.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_equal_rows_whatever_happens),
        cmocka_unit_test(test_a_killed_server_comes_back_to_what_it_had_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
