/* posix.c - ports/posix under the kit, as examples/energy-meter/host joins it with the
 * simulated flash: the port judged is the one that every virtual meter runs on.
 *
 * The engine in the meter is initialised and never stepped: only the kit calls the port.
 */
#include "tests/conformance/ports/posix.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "examples/energy-meter/host/commands.h"
#include "ports/posix/clock.h"
#include "tests/conformance/host/host.h"
#include "tests/support/update_world.h"

enum { CUT_KINDS = 4 };

static char folder[] = "/tmp/conformance.XXXXXX";
static char flash_path[64], image_path[64], ca_path[64], ca_key_path[64], log_path[64];
static uint8_t pristine[BOARD_FILE_SIZE]; /* the flash file as provisioned */
static struct {
    struct device device;
    FILE *log;
    bool is_made, is_on;
    char secret[48]; /* a piece of the private key */
} run;

struct device *conform_posix_device(void)
{
    return &run.device;
}

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    perror(what);
    abort(); /* a test whose device cannot be made has nothing to say */
}

static void name(char *out, size_t size, const char *file)
{
    snprintf(out, size, "%s/%s", folder, file);
}

/* As a factory does, once; what that prints goes to the log, where secrets are looked
 * for. */
static void provision(void)
{
    const struct arguments arguments = {.flash = flash_path,
                                        .image = image_path,
                                        .name = "conformance",
                                        .server = "https://127.0.0.1:1",
                                        .ca = ca_path,
                                        .ca_key = ca_key_path};
    fflush(stdout);
    int out = dup(STDOUT_FILENO);
    must(out >= 0 && dup2(fileno(run.log), STDOUT_FILENO) >= 0, "dup2");
    must(command_provision(&arguments) == EXIT_GOOD, "provision");
    fflush(stdout);
    must(dup2(out, STDOUT_FILENO) >= 0, "dup2");
    close(out);
    FILE *f = fopen(flash_path, "rb");
    must(f && fread(pristine, 1, sizeof pristine, f) == sizeof pristine, flash_path);
    fclose(f);
}

static void save(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    must(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, path);
}

/* Folder, CA, and the device that is fresh again and again. */
static void make_run(void)
{
    static struct world world;
    must(mkdtemp(folder) != NULL, folder);
    name(flash_path, sizeof flash_path, "flash");
    name(image_path, sizeof image_path, "image.bin");
    name(ca_path, sizeof ca_path, "ca.pem");
    name(ca_key_path, sizeof ca_key_path, "ca.key");
    name(log_path, sizeof log_path, "log");
    test_cert_save(conform_origin_ca_cert(), ca_path, ca_key_path);
    world_make(&world);
    save(image_path, world.old.data, world.old.size);
    world_free(&world);
    run.log = fopen(log_path, "a+");
    must(run.log != NULL, log_path);
    provision();
    run.is_made = true;
}

static void switch_off(void)
{
    if (run.is_on) { device_stop(&run.device); }
    run.is_on = false;
}

static bool switch_on(enum moult_reset how)
{
    const struct moult_device_log log = {.fd = fileno(run.log), .most = MOULT_LOG_DEBUG};
    run.is_on = device_start(&run.device, flash_path, (uint8_t)how, &log) == MOULT_OK;
    return run.is_on;
}

void conform_posix_end(void)
{
    switch_off();
    if (!run.is_made) { return; }
    fclose(run.log);
    unlink(flash_path);
    unlink(image_path);
    unlink(ca_path);
    unlink(ca_key_path);
    unlink(log_path);
    rmdir(folder);
    run.is_made = false;
}

static bool fresh(void *context)
{
    (void)context;
    if (!run.is_made) { make_run(); }
    switch_off();
    save(flash_path, pristine, sizeof pristine);
    if (!switch_on(MOULT_RESET_POWER_ON)) { return false; }
    const char *line = strchr(run.device.settings.key, '\n'); /* behind the PEM header */
    if (line) { snprintf(run.secret, 33, "%s", line + 1); }
    return line != NULL;
}

static bool restart(void *context, enum moult_reset how)
{
    (void)context;
    switch_off();
    return switch_on(how);
}

static const struct moult_port *port(void *context)
{
    (void)context;
    return &run.device.port;
}

static uint64_t now_ms(void *context)
{
    (void)context;
    return moult_clock_ms() - run.device.boot_ms; /* what device.c gives to moult_step() */
}

static void idle(void *context)
{
    (void)context;
    usleep(1000);
}

static void cut(void *context, uint32_t operation, uint32_t kind)
{
    static const struct moult_sim_plan plans[CUT_KINDS] = {
        {.fault = MOULT_SIM_CUT_BEFORE},
        {.fault = MOULT_SIM_CUT_TORN, .torn_size = 100},
        {.fault = MOULT_SIM_CUT_MIXED, .seed = 7},
        {.fault = MOULT_SIM_CUT_AFTER},
    };
    struct moult_sim_flash *flash = &run.device.board.chip.flash;
    (void)context;
    flash->plans[0] = plans[kind];
    flash->plans[0].at = flash->operation_count + operation;
}

static bool reboot_asked(void *context)
{
    (void)context;
    return run.device.board.port.reboot_wanted;
}

static size_t logged(void *context, size_t offset, char *out, size_t capacity)
{
    (void)context;
    ssize_t got = pread(fileno(run.log), out, capacity, (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

static struct conform_fixture fixture = {
    .name = "posix",
    .secret = run.secret,
    .port = port,
    .fresh = fresh,
    .restart = restart,
    .now_ms = now_ms,
    .cut = cut,
    .cut_kinds = CUT_KINDS,
    .reboot_asked = reboot_asked,
    .origin = conform_origin_start,
    .idle = idle,
    .logged = logged,
    .print = conform_print,
};

const struct conform_fixture *conform_posix_fixture(void)
{
    return &fixture;
}
