/* main.c - conformance-resets: the kit as on a chip, where a reset leaves nothing but what
 * was saved, and must come to the same verdicts.
 *
 * restart() does not return: it boots the simulated chip and starts the kit anew from the
 * progress that was saved last, with its own memory overwritten. A power cut does the same
 * in the middle of a callback.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include "tests/conformance/host/host.h"
#include "tests/conformance/ports/sim.h"

static jmp_buf reset_vector;
static struct conform_progress rtc; /* survives a reset */
static struct conform kit;
static unsigned resets;
static char direct[16384], resumed[16384]; /* what was printed */
static char *report;

static void save(void *context, const struct conform_progress *at)
{
    (void)context;
    rtc = *at;
}

static bool restart(void *context, enum moult_reset how)
{
    if (!conform_fixture()->restart(context, how)) { return false; }
    resets++;
    memset(&kit, 0xa5, sizeof kit);
    longjmp(reset_vector, 1);
}

static void power_lost(void *context)
{
    (void)context;
    (void)restart(NULL,
                  MOULT_RESET_POWER_ON); /* false: the kit hears of a call that failed */
}

static void cut(void *context, uint32_t operation, uint32_t kind)
{
    conform_fixture()->cut(context, operation, kind);
    conform_sim_flash()->power_lost = power_lost;
}

static void print(void *context, const char *text)
{
    (void)context;
    strncat(report, text, sizeof direct - strlen(report) - 1);
}

static int start(const struct conform_fixture *fixture)
{
    struct conform_progress from;
    (void)setjmp(reset_vector); /* the first time and after a reset alike */
    from = rtc;
    return conform_run(&kit, fixture, conform_groups, "", &from);
}

int main(void)
{
    const struct conform_progress begin = {0};
    static struct conform_fixture fixture;
    fixture = *conform_fixture();
    fixture.print = print;
    report = direct;
    int expected = conform_run(&kit, &fixture, conform_groups, "", &begin);

    fixture.save = save;
    fixture.restart = restart;
    fixture.cut = cut;
    report = resumed;
    int found = start(&fixture);
    printf("%u resets\n%s", resets, strrchr(resumed, '\n') ? resumed : "nothing\n");
    if (found != expected || strcmp(direct, resumed) != 0 || resets < 50) {
        printf("expected the verdicts of a run without resets:\n%s", direct);
        return 1;
    }
    return 0;
}
