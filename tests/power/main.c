/* main.c - the power suite as a program; `power --help` says how. */
#include <errno.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/power/power.h"

enum { WORKERS_MAX = 16, JOBS_MAX = 4096, NESTED_PARTS = 24, DEEP_PART = 200 };

/* --- options --- */

struct options {
    struct power_effort effort;
    unsigned workers;
    int config, story; /* -1: all */
    bool is_nested, is_swept, is_list;
    const char *replay;
};

static const struct named_effort {
    const char *name, *what;
    struct power_effort effort;
    bool is_swept, is_nested;
} efforts[] = {
    {"quick", "one way to cut each operation", {1, 1, 0, 200, 1, 97}, true, false},
    {"test", "what make test runs", {2, 1, 1, 10000, 1, 97}, true, true},
    {"soak", "every way, two seeds each", {0, 2, 1, 200000, 1000000, 997}, true, true},
    {"deep",
     "10,000 deep schedules and nothing else",
     {0, 1, 0, 10000, 1, 97},
     false,
     false},
    {"nested", "two cuts everywhere and nothing else", {1, 1, 1, 0, 1, 97}, false, true},
};

static void help(void)
{
    printf(
        "power - a cut at every flash and store operation of an update, then I1 to I18\n\n"
        "  power [--effort NAME] [--config NAME] [--story NAME] [--jobs N] [--seed N]\n"
        "  power --replay CONFIG:STORY:CUT:FAULT:SEED    one run; MOULT_TRACE=1 shows it\n"
        "  power --list                                  the axes, and what must hold\n\n"
        "Efforts:\n");
    for (size_t i = 0; i < sizeof efforts / sizeof efforts[0]; i++) {
        printf("  %-7s %s\n", efforts[i].name, efforts[i].what);
    }
}

static bool choose_effort(struct options *o, const char *name)
{
    for (size_t i = 0; i < sizeof efforts / sizeof efforts[0]; i++) {
        if (strcmp(efforts[i].name, name) != 0) { continue; }
        o->effort = efforts[i].effort;
        o->is_nested = efforts[i].is_nested;
        o->is_swept = efforts[i].is_swept;
        return true;
    }
    return false;
}

static bool take(struct options *o, int letter, const char *value)
{
    unsigned index = 0;
    switch (letter) {
    case 'e':
        return choose_effort(o, value);
    case 'c':
        if (!power_find_config(value, &index)) { return false; }
        o->config = (int)index;
        return true;
    case 's':
        if (!power_find_story(value, &index)) { return false; }
        o->story = (int)index;
        return true;
    case 'j':
        o->workers = (unsigned)strtoul(value, NULL, 10);
        return o->workers >= 1 && o->workers <= WORKERS_MAX;
    case 'd':
        o->effort.seed = strtoull(value, NULL, 10);
        return true;
    case 'r':
        o->replay = value;
        return true;
    case 'l':
        o->is_list = true;
        return true;
    default:
        return false;
    }
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"effort", required_argument, NULL, 'e'},
        {"config", required_argument, NULL, 'c'},
        {"story", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'},
        {"seed", required_argument, NULL, 'd'},
        {"replay", required_argument, NULL, 'r'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *o = (struct options){.workers = 2, .config = -1, .story = -1};
    if (!choose_effort(o, "test")) { return false; }
    for (int letter; (letter = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (letter == 'h') {
            help();
            exit(0);
        }
        if (!take(o, letter, optarg)) {
            fprintf(stderr, "power: %s is not what was expected; see power --help\n",
                    optarg ? optarg : argv[optind - 1]);
            return false;
        }
    }
    return optind == argc;
}

/* --- jobs --- */

struct job {
    enum { JOB_SWEEP, JOB_NESTED, JOB_DEEP } kind;
    unsigned config, story, part;
};

struct shared {
    atomic_uint next;
    struct power_totals totals[WORKERS_MAX];
};

static struct job jobs[JOBS_MAX];
static unsigned job_count;

static void add_job(struct job job)
{
    if (job_count < JOBS_MAX) { jobs[job_count++] = job; }
}

static bool is_wanted(const struct options *o, unsigned config, unsigned story)
{
    return (o->config < 0 || o->config == (int)config) &&
           (o->story < 0 || o->story == (int)story) && power_applies(config, story);
}

/* Long ones first, so that the workers end together. */
static void plan_jobs(const struct options *o)
{
    for (unsigned config = 0; config < power_config_count; config++) {
        bool is_small = power_configs[config].image_size > 0;
        for (unsigned story = 0; story < power_story_count; story++) {
            if (!is_wanted(o, config, story)) { continue; }
            bool is_nested = o->is_nested && is_small && story < 2;
            for (unsigned part = 0; is_nested && part < NESTED_PARTS; part++) {
                add_job((struct job){JOB_NESTED, config, story, part});
            }
        }
    }
    for (unsigned config = 0; o->is_swept && config < power_config_count; config++) {
        for (unsigned story = 0; story < power_story_count; story++) {
            if (!is_wanted(o, config, story)) { continue; }
            add_job((struct job){JOB_SWEEP, config, story, 0});
        }
    }
    bool is_all = o->config < 0 && o->story < 0;
    for (unsigned part = 0; is_all && part * DEEP_PART < o->effort.deep; part++) {
        add_job((struct job){JOB_DEEP, 0, 0, part});
    }
}

static void do_job(const struct job *job, const struct power_effort *effort,
                   struct power_totals *totals)
{
    struct power_effort one = *effort;
    uint64_t seed = effort->seed + (uint64_t)job->part * DEEP_PART;
    switch (job->kind) {
    case JOB_SWEEP:
        power_sweep(job->config, job->story, effort, totals);
        break;
    case JOB_NESTED:
        one.ways = 1;
        one.seeds = 1;
        power_sweep_twice(job->config, job->story,
                          (struct power_part){job->part, NESTED_PARTS}, &one, totals);
        break;
    case JOB_DEEP:
        for (unsigned i = 0; i < DEEP_PART; i++) {
            power_deep(seed + i, effort, totals);
        }
        break;
    }
    totals->crypto = fixed_crypto_counts();
}

static void work(struct shared *shared, const struct options *o, unsigned worker)
{
    for (unsigned i = atomic_fetch_add(&shared->next, 1); i < job_count;
         i = atomic_fetch_add(&shared->next, 1)) {
        do_job(&jobs[i], &o->effort, &shared->totals[worker]);
    }
}

/* --- the sum --- */

static void add(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

static void add_totals(struct power_totals *sum, const struct power_totals *t)
{
    sum->runs += t->runs;
    sum->cuts += t->cuts;
    sum->nested += t->nested;
    sum->deep += t->deep;
    sum->repeated += t->repeated;
    sum->failures += t->failures;
    sum->operations += t->operations;
    sum->crypto.signed_new += t->crypto.signed_new;
    sum->crypto.signed_known += t->crypto.signed_known;
    sum->crypto.verified_new += t->crypto.verified_new;
    sum->crypto.verified_known += t->crypto.verified_known;
    add(sum->by_config, t->by_config, POWER_CONFIGS_MAX);
    add(sum->by_story, t->by_story, POWER_STORIES_MAX);
    add(sum->by_fault, t->by_fault, POWER_FAULTS_MAX);
    add(sum->by_event, t->by_event, POWER_EVENT_KINDS);
    const unsigned *from = &t->wear.slot_first;
    unsigned *most = &sum->wear.slot_first;
    for (size_t i = 0; i < sizeof t->wear / sizeof *from; i++) {
        if (from[i] > most[i]) { most[i] = from[i]; }
    }
}

/* Runs of the products for which a claim holds. */
static uint64_t runs_where(const struct power_totals *t,
                           bool (*claim)(const struct power_config *c))
{
    uint64_t runs = 0;
    for (unsigned i = 0; i < power_config_count; i++) {
        runs += claim(&power_configs[i]) ? t->by_config[i] : 0;
    }
    return runs;
}

static bool is_plain(const struct power_config *c)
{
    return c->unit == 0;
}
static bool is_unit_16(const struct power_config *c)
{
    return c->unit == 16;
}
static bool is_unit_32(const struct power_config *c)
{
    return c->unit == 32;
}
static bool has_rollback(const struct power_config *c)
{
    return c->has_rollback;
}
static bool has_anti_rollback(const struct power_config *c)
{
    return c->has_anti_rollback;
}
static bool has_factory(const struct power_config *c)
{
    return c->has_factory;
}
static bool has_three_slots(const struct power_config *c)
{
    return c->slot_count == 3;
}

typedef unsigned long long ull;

static void print_axes(const struct power_totals *t)
{
    ull all = t->runs;
    ull rollback = runs_where(t, has_rollback), anti = runs_where(t, has_anti_rollback);
    ull factory = runs_where(t, has_factory), three = runs_where(t, has_three_slots);
    printf("  encryption    off %llu, 16-byte units %llu, 32-byte units %llu\n",
           (ull)runs_where(t, is_plain), (ull)runs_where(t, is_unit_16),
           (ull)runs_where(t, is_unit_32));
    printf("  rollback      off %llu, on %llu; anti-rollback off %llu, on %llu\n",
           all - rollback, rollback, all - anti, anti);
    printf("  factory app   no %llu, yes %llu\n", all - factory, factory);
    printf("  slots         two %llu, three %llu\n", all - three, three);
    printf("  encoding      raw %llu\n", all);
    for (unsigned i = 0; i < power_story_count; i++) {
        printf("  story         %-16s %8llu  %s\n", power_stories[i].name,
               (ull)t->by_story[i], power_stories[i].what);
    }
    printf("  cuts         ");
    for (unsigned i = 0; i < power_fault_count; i++) {
        printf(" %s %llu", power_faults[i].name, (ull)t->by_fault[i]);
    }
    printf("\n");
}

static const char *const event_names[] = {
    "error", "no-op",      "read error", "bit flip",   "reset",
    "clock", "store full", "store lies", "store lost", "network"};
_Static_assert(sizeof event_names / sizeof event_names[0] == POWER_EVENT_KINDS, "one each");

static void print_sum(const struct power_totals *t, double seconds, unsigned workers)
{
    print_axes(t);
    printf("  other faults ");
    for (unsigned i = 0; i < POWER_EVENT_KINDS; i++) {
        printf(" %s %llu", event_names[i], (ull)t->by_event[i]);
    }
    printf(
        "\n  wear          first sector %u of %u erases, other sectors %u of %u, otadata "
        "%u of %u, store %u of %u, values stored %u of %u (most in a story, bound)\n",
        t->wear.slot_first, POWER_WEAR_FIRST, t->wear.slot_other, POWER_WEAR_OTHER,
        t->wear.otadata, POWER_WEAR_OTADATA, t->wear.nvs, POWER_WEAR_NVS, t->wear.kv_sets,
        POWER_WEAR_SETS);
    printf("  signatures    made %llu, verified %llu; looked up %llu and %llu\n",
           (ull)t->crypto.signed_new, (ull)t->crypto.verified_new,
           (ull)t->crypto.signed_known, (ull)t->crypto.verified_known);
    printf("%llu runs (%llu with two nested cuts everywhere, %llu deep), %llu cuts, %llu "
           "repeated to the same trace, %llu failures, in %.0f s on %u workers\n",
           (ull)t->runs, (ull)t->nested, (ull)t->deep, (ull)t->cuts, (ull)t->repeated,
           (ull)t->failures, seconds, workers);
}

/* --- the parent --- */

/* A worker that died in the middle of a run: an assert, a signal. */
static bool report_death(const struct power_totals *t, int status)
{
    char id[POWER_ID_MAX];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) { return false; }
    power_id(t->config, t->story, &t->schedule, id);
    printf("a worker died (%s %d)\n  repeat: power --replay %s\n",
           WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), id);
    return true;
}

static int run_all(const struct options *o)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fprintf(stderr, "power: no shared memory: %s\n", strerror(errno));
        return 1;
    }
    struct timespec begin, end;
    pid_t pids[WORKERS_MAX];
    plan_jobs(o);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < o->workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(shared, o, i);
            fflush(NULL);
            _exit(0);
        }
    }
    struct power_totals sum = {0};
    unsigned deaths = 0;
    for (unsigned i = 0; i < o->workers; i++) {
        int status = -1;
        if (pids[i] > 0) { waitpid(pids[i], &status, 0); }
        deaths += report_death(&shared->totals[i], status);
        add_totals(&sum, &shared->totals[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_sum(&sum, seconds, o->workers);
    return deaths + sum.failures == 0 && sum.runs > 0 ? 0 : 1;
}

static void print_schedule(const struct power_schedule *schedule)
{
    for (unsigned i = 0; i < schedule->cut_count; i++) {
        printf("  cut %s at operation %u behind the last\n",
               power_faults[schedule->cuts[i].fault].name,
               (unsigned)schedule->cuts[i].after);
    }
    for (unsigned i = 0; i < schedule->event_count; i++) {
        printf("  %s in step %u\n", event_names[schedule->events[i].kind],
               (unsigned)schedule->events[i].at);
    }
}

static int replay(const char *id)
{
    static struct power_totals totals;
    unsigned config, story;
    struct power_schedule schedule;
    if (!power_parse_id(id, &config, &story, &schedule)) {
        fprintf(stderr,
                "power: not CONFIG:STORY:CUT:FAULT:SEED: %s; power --list names "
                "configs and stories\n",
                id);
        return 2;
    }
    struct power_effort once = {.repeat_every = 1};
    print_schedule(&schedule);
    power_case_make(config, story);
    power_begin(&schedule);
    power_finish(power_live());
    power_judge(&once, &totals);
    const struct power_run *run = power_live();
    printf("%s: %s, %u cuts, %u other faults, %u boots, %u steps, %u check-ins, trace "
           "%016llx\n",
           totals.failures ? "does not hold" : "holds",
           world_runs(&run->w, &run->w.new) ? "new image" : "old image", run->h.cuts,
           run->h.events, run->h.boots, run->h.steps, run->w.checkins, (ull)run->h.trace);
    struct power_wear wear = power_wear_of(run);
    printf("  erases: first sector %u, other %u, otadata %u, store %u; values stored %u; "
           "%llu bytes fetched\n",
           wear.slot_first, wear.slot_other, wear.otadata, wear.nvs, wear.kv_sets,
           (ull)run->w.artifact_bytes);
    if (run->w.seen.panic) {
        printf("  flash: %s at 0x%05x\n", run->w.seen.panic, run->w.seen.panic_at);
    }
    return totals.failures ? 1 : 0;
}

static int list(void)
{
    for (unsigned i = 0; i < power_config_count; i++) {
        printf("config %s\n", power_configs[i].name);
    }
    for (unsigned i = 0; i < power_story_count; i++) {
        printf("story  %-16s %s\n", power_stories[i].name, power_stories[i].what);
    }
    for (unsigned i = 0; i < power_fault_count; i++) {
        printf("cut    %s\n", power_faults[i].name);
    }
    for (unsigned i = 0; i < power_invariant_count; i++) {
        const struct power_invariant *v = &power_invariants[i];
        printf("%-4s   %s%s%s\n", v->name, v->claim, v->held_by ? "; also " : "",
               v->held_by ? v->held_by : "");
    }
    return 0;
}

int main(int argc, char **argv)
{
    static char line[BUFSIZ]; /* or the first line printed would count as heap growth */
    struct options options;
    setvbuf(stdout, line, _IOLBF, sizeof line);
    if (!parse(&options, argc, argv)) { return 2; }
    if (options.is_list) { return list(); }
    return options.replay ? replay(options.replay) : run_all(&options);
}
