/* release_floor.h - the rollback floor that a release should have: the newest published
 * release of its class, which is what a fleet would be taken back to.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_RELEASE_FLOOR_H
#define MOULT_CLI_RELEASE_FLOOR_H

#include "cli/cli.h"
#include "formats/image_info.h"

/* Asks the server of the user's profile. *floor stays 0 when there is no server, no answer
 * or no older release; why that is so has been said. */
void release_floor_ask(struct cli *cli, const struct moult_image_info *info,
                       uint64_t *floor);

#endif
