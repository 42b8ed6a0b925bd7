/* network_soak_test.c - device/src/: a day of a device behind a network that loses 30 % of
 * all requests, 30 % of all replies and 30 % of all bodies, each by itself.
 *
 * One release follows the other for 24 virtual hours; every fourth fails its health check.
 * Each must end as it has to: installed and confirmed, or taken back, and told; whatever
 * was told is what really runs. Replies of earlier check-ins come again, and requests
 * arrive twice. Afterwards the network is good, and what is left must end as well.
 *
 * SEED=n repeats one run; NETWORK_SEEDS=n (make soak) plays n of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/lossy_net.h"

enum { HOURS = 24, HOUR_MS = 3600000, BAD_SEQUENCE = 3, RELEASE_HOURS_MAX = 6 };

static struct world w, fresh;
static struct lossy_net net;

static struct {
    unsigned installed, taken_back, again; /* releases; deployments that were repeated */
    uint64_t begun_ms, longest_ms;
} story;

/* --- the operator --- */

static void next_deployment(void)
{
    static char number;
    number = number == 'z' ? 'a' : (char)(number + 1);
    if (number < 'a') { number = 'a'; }
    world_deployment(&w, number);
    w.action = MOULT_ACTION_INSTALL;
}

static void next_release(void)
{
    struct world_image_options options = {
        .sequence = w.new.sequence + 1, .version = "1.1.0", .size = 9000};
    if (world_runs(&w, &w.new)) { w.old = w.new; }
    world_image(&w, &w.new, &options);
    world_offer(&w, &w.new);
    next_deployment();
    story.begun_ms = w.now_ms;
}

static bool is_bad(void)
{
    return w.new.sequence % 4 == BAD_SEQUENCE;
}

/* Of the deployment in force, and how many there are; NULL: none. */
static const struct world_report *told(enum moult_report_kind kind, unsigned *finals)
{
    const struct world_report *found = NULL;
    for (unsigned i = 0; i < w.report_count; i++) {
        const struct world_report *r = &w.reports[i];
        if (r->kind != kind || memcmp(r->deployment, w.deployment, 16) != 0) { continue; }
        found = r;
        (*finals)++;
    }
    return found;
}

/* What was told must be so, once, and a failure must be one of the network. */
static bool judge(void)
{
    unsigned finals = 0;
    bool is_installed = told(MOULT_REPORT_CONFIRMED, &finals) != NULL;
    bool is_back = told(MOULT_REPORT_ROLLED_BACK, &finals) != NULL;
    const struct world_report *failed = told(MOULT_REPORT_FAILED, &finals);
    if (finals == 0) { return w.now_ms - story.begun_ms < RELEASE_HOURS_MAX * HOUR_MS; }
    if (w.now_ms - story.begun_ms > story.longest_ms) {
        story.longest_ms = w.now_ms - story.begun_ms;
    }
    if (finals > 1) { return false; }
    if (failed) {
        bool is_network = failed->detail == MOULT_D_NET || failed->detail == MOULT_D_HTTP ||
                          failed->detail == MOULT_D_XFER_SLOW ||
                          failed->detail == MOULT_D_RELEASE_FETCH;
        story.again++;
        next_deployment();
        return is_network && world_runs(&w, &w.old);
    }
    bool is_right = is_bad() ? is_back && world_runs(&w, &w.old)
                             : is_installed && world_runs(&w, &w.new);
    story.installed += is_installed;
    story.taken_back += is_back;
    next_release();
    return is_right;
}

/* --- one day --- */

static void begin(uint64_t seed)
{
    world_forget(&w);
    world_copy(&w, &fresh);
    memset(&net, 0, sizeof net);
    memset(&story, 0, sizeof story);
    net.seed = seed;
    net.lost_percent = 30;
    net.stale_percent = 5;
    net.double_percent = 5;
    w.random = seed ^ 0x9e3779b97f4a7c15u;
    w.health[BAD_SEQUENCE] = MOULT_HEALTH_FAILED;
    w.policy_keys = 1u << MOULT_POLICY_ATTEMPTS | 1u << MOULT_POLICY_CONFIRM;
    w.policy.attempts = 3;
    w.policy.confirm_timeout_s = 3600; /* six check-ins in ten fail */
    lossy_net_plug(&w, &net);
}

static unsigned ended(void)
{
    return story.installed + story.taken_back;
}

/* Until a moment, or until so many releases have ended. False: something was wrong. */
static bool go_on(uint64_t until_ms, unsigned releases)
{
    while (w.now_ms < until_ms && ended() < releases) {
        unsigned heard = w.checkins + w.posts;
        if (!world_step(&w)) { return false; }
        bool is_news = w.checkins + w.posts != heard ||
                       w.now_ms - story.begun_ms >= RELEASE_HOURS_MAX * HOUR_MS;
        if (is_news && !judge()) { return false; }
    }
    return true;
}

static bool play(uint64_t seed)
{
    begin(seed);
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    if (!go_on((uint64_t)HOURS * HOUR_MS, UINT32_MAX)) { return false; }
    net.lost_percent = net.stale_percent = net.double_percent = 0;
    unsigned two_more = ended() + 2;
    return go_on(w.now_ms + HOUR_MS, two_more) && ended() == two_more;
}

static void print_day(uint64_t seed, bool is_good, clock_t begin_clock)
{
    printf("SEED=%llu: %u virtual hours, %u releases installed, %u taken back, %u "
           "deployments repeated, longest %.1f h\n",
           (unsigned long long)seed, HOURS, story.installed, story.taken_back, story.again,
           (double)story.longest_ms / HOUR_MS);
    printf("  %u requests (%u lost, %u replies lost, %u bodies cut, %u stale, %u twice), "
           "%u check-ins heard, %u bytes, %u boots, %.1f s\n",
           net.requests, net.lost_requests, net.lost_replies, net.lost_bodies, net.stale,
           net.doubled, w.checkins, net.bytes, w.boots,
           (double)(clock() - begin_clock) / CLOCKS_PER_SEC);
    if (is_good) { return; }
    printf("  repeat: SEED=%llu test_device_network_soak; at %.2f h, sequence %llu\n",
           (unsigned long long)seed, (double)w.now_ms / HOUR_MS,
           (unsigned long long)w.new.sequence);
    for (unsigned i = 0; i < w.report_count; i++) {
        const struct world_report *r = &w.reports[i];
        printf("    kind %u E%04u R%u native %d\n", r->kind, r->detail, r->reason,
               (int)r->native);
    }
}

static uint64_t number_of(const char *name, uint64_t preset)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : preset;
}

static void test_a_day_of_30_percent_loss_converges(void)
{
    enum { INSTALLED_LEAST = 20, TAKEN_BACK_LEAST = 5 };
    uint64_t first = number_of("SEED", 1), count = number_of("NETWORK_SEEDS", 10);
    for (uint64_t seed = first; seed < first + count; seed++) {
        clock_t begin_clock = clock();
        bool is_good = play(seed);
        print_day(seed, is_good, begin_clock);
        check(is_good);
        check(w.foreign_boots == 0 && !w.seen.panic && w.seen.wrong_marks == 0);
        check(story.installed >= INSTALLED_LEAST && story.taken_back >= TAKEN_BACK_LEAST);
    }
}

int main(void)
{
    world_make_as(&fresh, &(struct world_options){.is_fixed = true});
    check_run(test_a_day_of_30_percent_loss_converges);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
