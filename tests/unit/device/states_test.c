/* states_test.c - device/src/session_states.h: every state with every event, and the
 * picture.
 *
 * After a change of the table: test_device_states --draw > docs/design/session.dot
 */
#include <stdio.h>
#include <string.h>
#include "device/src/session_states.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

/* Everything that can happen to a session from outside. */
enum event {
    EVENT_STEP,
    EVENT_WAKE,
    EVENT_CHECK_NOW,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_REJECT,
    EVENT_THROTTLE,
    EVENT_SERVER_GONE,
    EVENT_LATER, /* a day passes at once */
    EVENT_COUNT,
};

static void happen(enum event event)
{
    static const uint8_t wake[] = {0xa2, 0x01, 0x18, 0x63, 0x02, 0x00};
    switch (event) {
    case EVENT_WAKE:
        moult_wake(&w.session, wake, sizeof wake, w.now_ms);
        break;
    case EVENT_CHECK_NOW:
        moult_check_now(&w.session, w.now_ms);
        break;
    case EVENT_PAUSE:
        moult_pause(&w.session);
        break;
    case EVENT_RESUME:
        moult_resume(&w.session);
        break;
    case EVENT_REJECT:
        if (moult_reject(&w.session) != MOULT_OK) { break; } /* no trial: nothing happens */
        break;
    case EVENT_THROTTLE:
        moult_throttle(&w.session, 1000);
        break;
    case EVENT_SERVER_GONE:
        w.is_down = true;
        break;
    case EVENT_LATER:
        w.now_ms += 86400000;
        break;
    default:
        break;
    }
}

/* What a session may hold when a state is reached that "cannot" be reached. */
static void prepare(enum moult_state state, bool has_plan)
{
    world_copy(&w, &fresh);
    if (!world_boot(&w, MOULT_RESET_POWER_ON) ||
        !world_until(&w, has_plan ? "CLEAN" : "IDLE")) {
        return;
    }
    w.session.state = (uint8_t)state;
    w.session.phase = 0;
}

/* A few steps from there: the assert on transitions, the simulated flash and the sanitizers
 * judge. */
static bool survives(void)
{
    for (unsigned i = 0; i < 40; i++) {
        if (!world_step(&w)) { return false; }
    }
    return w.foreign_boots == 0 && (world_runs(&w, &w.old) || world_runs(&w, &w.new));
}

static void test_every_state_takes_every_event_at_any_time(void)
{
    for (unsigned state = 0; state < MOULT_STATE_COUNT; state++) {
        check_row(moult_state_words[state].name);
        for (unsigned event = 0; event < 2 * EVENT_COUNT; event++) {
            prepare((enum moult_state)state, event >= EVENT_COUNT);
            happen((enum event)(event % EVENT_COUNT));
            check(survives());
        }
    }
}

/* The same along the road: each event once at the entry of each state of a whole update,
 * which must come to its end all the same. */
static void test_an_update_gets_through_every_event(void)
{
    for (unsigned event = 0; event < EVENT_COUNT; event++) {
        for (unsigned state = 0; state < MOULT_STATE_COUNT; state++) {
            world_copy(&w, &fresh);
            check_row(moult_state_words[state].name);
            check(world_boot(&w, MOULT_RESET_POWER_ON));
            bool is_on_the_road = false;
            for (unsigned i = 0; i < 400 && !is_on_the_road; i++) {
                is_on_the_road = w.session.state == state && i > 0;
                if (!is_on_the_road) { check(world_step(&w)); }
            }
            if (!is_on_the_road) {
                continue;
            } /* BACKOFF, REHASH, ROLLBACK ...: other roads */
            happen((enum event)event);
            for (unsigned i = 0; i < 200; i++) {
                check(world_step(&w));
            }
            w.is_down = false;
            moult_resume(&w.session);
            moult_throttle(&w.session, 0);
            check(world_settle(&w));
            /* Given up; without a server for longer than a trial, or a transfer, may last.
             * */
            bool may_go_back =
                event == EVENT_REJECT || event == EVENT_SERVER_GONE || event == EVENT_LATER;
            check(world_runs(&w, &w.new) || may_go_back);
            check(w.report_count > 0 && w.foreign_boots == 0);
        }
    }
}

static void test_every_state_can_be_reached_and_left(void)
{
    uint32_t reached = 1u << MOULT_STATE_LOAD;
    for (unsigned round = 0; round < MOULT_STATE_COUNT; round++) {
        for (unsigned state = 0; state < MOULT_STATE_COUNT; state++) {
            if (reached >> state & 1) { reached |= moult_state_next[state]; }
        }
    }
    check_equal(reached, UINT32_MAX >> (32 - MOULT_STATE_COUNT));
    for (unsigned state = 0; state < MOULT_STATE_COUNT; state++) {
        check((moult_state_next[state] != 0) == (state != MOULT_STATE_REBOOT));
    }
}

/* --- docs/design/session.dot --- */

static size_t draw(char *out, size_t size)
{
    size_t at =
        (size_t)snprintf(out, size,
                         "// Made by test_device_states --draw; do not edit.\n"
                         "digraph session {\n    node [shape=box, style=rounded];\n");
    for (unsigned i = 0; i < MOULT_STATE_COUNT; i++) {
        const struct moult_state_words *words = &moult_state_words[i];
        at += (size_t)snprintf(out + at, size - at, "    %s [label=\"%s\\n%s\"];\n",
                               words->name, words->name, words->waits_for);
        for (unsigned k = 0; k < MOULT_STATE_COUNT; k++) {
            if (!(moult_state_next[i] >> k & 1)) { continue; }
            at += (size_t)snprintf(out + at, size - at, "    %s -> %s;\n", words->name,
                                   moult_state_words[k].name);
        }
    }
    at += (size_t)snprintf(out + at, size - at, "}\n");
    return at;
}

static char drawn[16384], stored[16384];

static void test_the_picture_shows_the_table(void)
{
    FILE *file = fopen(MOULT_SOURCE_DIR "/docs/design/session.dot", "r");
    check(file != NULL);
    size_t size = fread(stored, 1, sizeof stored, file);
    fclose(file);
    size_t expected = draw(drawn, sizeof drawn);
    if (size != expected || memcmp(stored, drawn, size) != 0) {
        check_print("  next: test_device_states --draw > docs/design/session.dot\n");
    }
    check_equal(size, expected);
    check_bytes(stored, drawn, size);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--draw") == 0) {
        return fwrite(drawn, 1, draw(drawn, sizeof drawn), stdout) > 0 ? 0 : 1;
    }
    world_make(&fresh);
    check_run(test_every_state_takes_every_event_at_any_time);
    check_run(test_an_update_gets_through_every_event);
    check_run(test_every_state_can_be_reached_and_left);
    check_run(test_the_picture_shows_the_table);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
