/* component_test.c - device/src/component*.c: filesystem images and another MCU, updated
 * with the application. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/component_world.h"

enum { WWW = 1 << CW_WWW, ASSETS = 1 << CW_ASSETS, MOTOR = 1 << CW_MOTOR, ALL = 7 };

static struct component_world cw, fresh;
static struct world *const w = &cw.w;

static void begin(void)
{
    component_world_copy(&cw, &fresh);
}

static bool runs_through(void)
{
    return component_world_boot(&cw, MOULT_RESET_POWER_ON) && component_world_settle(&cw);
}

static bool has(unsigned www, unsigned assets, unsigned motor)
{
    int slot = w->device.port.boot.booted;
    return component_world_version(&cw, CW_WWW, 0) == www &&
           component_world_version(&cw, CW_ASSETS, (unsigned)slot) == assets &&
           component_world_version(&cw, CW_MOTOR, 0) == motor;
}

static bool was_told(const char *text)
{
    for (unsigned i = 0; i < w->report_count; i++) {
        if (strcmp(w->reports[i].text, text) == 0) { return true; }
    }
    return false;
}

static void test_application_filesystem_bank_and_peripheral_arrive_together(void)
{
    begin();
    check(runs_through());
    check(world_runs(w, &w->new));
    check(has(2, 2, 2));
    check_equal(cw.broken, 0);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
    check_equal(world_count(w, MOULT_REPORT_FAILED), 0);
    check(was_told("component 1 applied"));
    check(was_told("component 3 applied"));
    check(was_told("component 16 applied"));
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.state, MOULT_COMPONENT_READY);
    check_equal(info.sequence, 2);
    check_equal(info.size, cw.files[CW_WWW][2].size);
}

int main(void)
{
    component_world_make(&fresh);
    check_run(test_application_filesystem_bank_and_peripheral_arrive_together);
    world_forget(w);
    component_world_free(&fresh);
    return check_report();
}
