/* main.c - conformance: runs the kit against the port that this program is built with.
 *
 * Usage: conformance-NAME [PREFIX]     the promises whose name begins so; all without
 *        conformance-NAME --list       their names
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/conformance/host/host.h"

static int list(void)
{
    for (const struct conform_promise *const *group = conform_host_groups; *group;
         group++) {
        for (const struct conform_promise *p = *group; p->name; p++) {
            printf("%s\n", p->name);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct conform kit;
    const struct conform_progress begin = {0};
    const char *prefix = argc > 1 ? argv[1] : "";
    if (strcmp(prefix, "--list") == 0) { return list(); }
    if (argc > 2 || prefix[0] == '-') {
        fprintf(stderr, "usage: %s [PREFIX | --list]\n", argv[0]);
        return 2;
    }
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1); /* where there is no name server */
    const struct conform_fixture *fixture = conform_fixture();
    int code = conform_run(&kit, fixture, conform_host_groups, prefix, &begin);
    if (code == 2) {
        fprintf(stderr, "no promise begins with \"%s\"; next: %s --list\n", prefix,
                argv[0]);
    } else if (code != 0) {
        printf("next: docs/PORTING.md says of each promise what it asks and why\n");
    }
    conform_origin_stop();
    return code;
}
