/* session_test.c - device/src/: whole updates against a scripted server. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w;

static void test_an_update_is_installed_and_confirmed(void)
{
    world_make(&w);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
    world_free(&w);
}

int main(void)
{
    check_run(test_an_update_is_installed_and_confirmed);
    return check_report();
}
