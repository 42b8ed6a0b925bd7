/* port.h - a port of libmoult to begin with: copy this folder, rename `template`, also in
 * the includes, and fill in.
 *
 * Layer    ports. What each callback promises is said where it is defined, in port.c; the
 *          checklist is docs/PORTING.md, and the judge is
 *
 *              make conformance PORT=path/to/your/folder
 *
 * Memory   one struct, the caller's; static is best.
 * Threads  one: that of moult_step().
 * Use it   template_port_init() at start, moult_session_init() with the port it fills in.
 */
#ifndef MOULT_PORTS_TEMPLATE_PORT_H
#define MOULT_PORTS_TEMPLATE_PORT_H

#include "moult/port.h"

/* What every callback of this file returns until it is written. Any number but 0 will do:
 * the engine treats it as "the platform failed" and carries it into its reports, so take
 * your platform's own (ESP_ERR_NOT_SUPPORTED, -ENOSYS). */
#define TEMPLATE_NOT_WRITTEN (-1)

/* Whatever the callbacks need: handles of partitions, an open store, a connection. It is
 * the `context` of every callback. */
struct template_port {
    uint32_t slot_count; /* a driver handle per slot goes here */
};

/* Fills in every field of *out that a port must have, with `port` as context, which stays
 * borrowed as long as the session lives. */
void template_port_init(struct template_port *port, struct moult_port *out);

#endif
