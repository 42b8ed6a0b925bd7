/* fixture.c - what the conformance kit needs to know of a port; goes with the port.
 *
 * Fill it in as the port grows: what is NULL here is skipped by the kit, by name. The whole
 * contract is in tests/conformance/conform.h; tests/conformance/ports/ has two that are
 * complete.
 */
#include <time.h>
#include "ports/template/port.h"
#include "tests/conformance/host/host.h"

static struct template_port state;
static struct moult_port port;

/* A device that runs a confirmed image, its engine's store empty. */
static bool fresh(void *context)
{
    (void)context; /* erase the store, put a known image into slot 0, boot it */
    template_port_init(&state, &port);
    return true;
}

/* RAM is gone, the bootloader decides. False: nothing boots. */
static bool restart(void *context, enum moult_reset how)
{
    (void)context, (void)how; /* run the bootloader, or esp_restart() on a chip */
    template_port_init(&state, &port);
    return true;
}

static const struct moult_port *port_now(void *context)
{
    (void)context;
    return &port;
}

/* The clock that the application gives to moult_step(). */
static uint64_t now_ms(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const struct conform_fixture *conform_fixture(void)
{
    static const struct conform_fixture fixture = {
        .name = "template",
        .port = port_now,
        .fresh = fresh,
        .restart = restart,
        .now_ms = now_ms,
        .cut = NULL,                    /* a relay, or a flash that can be cut */
        .reboot_asked = NULL,           /* whether reboot() was called, where it returns */
        .origin = conform_origin_start, /* give conform_origin_ca_cert() to your TLS */
        .logged = NULL,                 /* what was logged so far */
        .print = conform_print,
    };
    return &fixture;
}
