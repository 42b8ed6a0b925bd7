/* look.c - see look.h. */
#include "examples/energy-meter/host/look.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "moult/log.h"
#include "moult/session.h"
#include "ports/posix/psa_crypto.h"
#include "ports/sim/ota.h"

enum {
    SNAPSHOT_TRIES = 20,    /* a running device may be writing */
    SETTLED_SIZE = 0x20000, /* table, NVS and otadata must not change while they are read */
    ENGINE_STEPS_MAX = 20000, /* to load its journal and hash the image */
};

/* --- The copy ------------------------------------------------------------------------- */

static bool read_at(int fd, uint8_t *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = pread(fd, out + at, size - at, (off_t)at);
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { return false; }
        at += (size_t)got;
    }
    return true;
}

/* The file as it was at one moment, as far as what decides is concerned. */
static enum moult_status copy_file(int fd, uint8_t *copy, uint8_t *again)
{
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        if (!read_at(fd, copy, BOARD_FILE_SIZE) || !read_at(fd, again, SETTLED_SIZE)) {
            return MOULT_E_FORMAT; /* shorter than a device file */
        }
        if (memcmp(copy, again, SETTLED_SIZE) == 0) { return MOULT_OK; }
        usleep(20000);
    }
    /* it writes without pause: as good as a power cut, which it survives */
    return MOULT_OK;
}

static bool is_locked(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) { return errno == EWOULDBLOCK; }
    flock(fd, LOCK_UN);
    return false;
}

static enum moult_status load(const char *path, uint8_t *copy, bool *is_running)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return errno == ENOENT ? MOULT_E_NOENT : MOULT_E_IO; }
    uint8_t *again = malloc(SETTLED_SIZE);
    enum moult_status st = again ? copy_file(fd, copy, again) : MOULT_E_NOMEM;
    if (lseek(fd, 0, SEEK_END) != (off_t)BOARD_FILE_SIZE) { st = MOULT_E_FORMAT; }
    *is_running = is_locked(fd);
    free(again);
    close(fd);
    return st;
}

/* --- The update engine in the copy ---------------------------------------------------- */

/* No network and no chance: it gets as far as its journal leads. */
static int32_t no_start(void *context, const struct moult_http_request *request)
{
    (void)context;
    (void)request;
    return -1;
}

static enum moult_http_event no_poll(void *context, uint8_t *buffer, size_t capacity,
                                     size_t *size, struct moult_http_reply *reply,
                                     struct moult_http_failure *failure)
{
    (void)context;
    (void)buffer;
    (void)capacity;
    (void)size;
    (void)reply;
    *failure = (struct moult_http_failure){.kind = MOULT_NET_CONNECT};
    return MOULT_HTTP_FAILED;
}

static void no_cancel(void *context)
{
    (void)context;
}

static bool no_random(void *context, uint8_t *out, size_t size)
{
    (void)context;
    memset(out, 0x5a, size); /* for numbers that nobody will see */
    return true;
}

static void run_engine(struct moult_session *session, struct look *out)
{
    uint64_t now_ms = 1;
    for (uint32_t i = 0; i < ENGINE_STEPS_MAX; i++) {
        enum moult_step step = moult_step(session, now_ms);
        moult_progress(session, &out->progress);
        if (step != MOULT_STEP_AGAIN ||
            strcmp(moult_state_name(out->progress.state), "IDLE") == 0) {
            break;
        }
    }
    for (uint8_t i = 0; i < session->order_count; i++) {
        if (session->orders[i].counter > out->counter) {
            out->counter = session->orders[i].counter;
        }
    }
    out->keyset_version = session->trust.is_good ? session->trust.keyset.version : 0;
    out->floor = session->floor.stored;
    static const uint8_t none[32];
    for (size_t i = 0; i < MOULT_BLOCKS_MAX; i++) {
        out->failed =
            (uint8_t)(out->failed + (memcmp(session->blocks[i].release, none, 32) != 0));
    }
}

static enum moult_status ask_engine(struct board *board, struct look *out)
{
    struct moult_session *session = malloc(sizeof *session);
    if (!session) { return MOULT_E_NOMEM; }
    struct moult_port port = {.http_start = no_start,
                              .http_poll = no_poll,
                              .http_cancel = no_cancel,
                              .random = no_random};
    struct moult_config config = {.chip_id = board->chip.chip_id,
                                  .chip_revision = board->chip.revision,
                                  .flash_size = board->chip.flash.size,
                                  .base_url = out->settings.server};
    memcpy(config.device_id, out->settings.device_id, sizeof config.device_id);
    enum moult_status st = moult_sim_port_power_on(
        &board->port, &board->chip, &board->crypto, &board_build, MOULT_RESET_UNKNOWN);
    if (st == MOULT_OK) {
        moult_sim_port_callbacks(&board->port, &port);
        st = moult_session_init(session, &port, &config);
    }
    if (st == MOULT_OK) { run_engine(session, out); }
    free(session);
    return st;
}

/* --- All of it ------------------------------------------------------------------------ */

static enum moult_status look_at_slots(struct board *board, struct look *out)
{
    const struct moult_sim_boot *boot = &board->port.boot;
    out->slot_count = boot->slot_count < 2 ? boot->slot_count : 2;
    for (uint32_t i = 0; i < out->slot_count; i++) {
        struct slot_look *slot = &out->slots[i];
        enum moult_status st = board_firmware(board, (int)i, true, &slot->firmware);
        if (st == MOULT_E_IO) { return st; }
        slot->has_image = st == MOULT_OK;
        slot->verifies = moult_sim_verify(boot, (int)i, NULL) == MOULT_OK;
        if (moult_sim_slot_state(boot, i, &slot->state) != 0) { return MOULT_E_IO; }
    }
    enum moult_status st = moult_sim_otadata_read(boot, &out->otadata);
    if (st == MOULT_OK) { st = moult_sim_efuse_read(&board->chip, &out->efuse_version); }
    if (st == MOULT_OK && moult_sim_boot_info(boot, &out->info) != 0) { st = MOULT_E_IO; }
    return st;
}

static enum moult_status look_at_readings(struct board *board, struct look *out)
{
    const struct moult_partition *at =
        moult_partition_find_label(&board->port.boot.table, BOARD_METER_LABEL);
    if (!at) { return MOULT_E_FORMAT; }
    enum moult_status st =
        reading_log_open(&out->readings, &board->chip.flash, at->offset, at->size);
    if (st == MOULT_OK) { st = reading_log_summary(&out->readings, &out->summary); }
    out->readings.flash = NULL; /* the copy goes */
    return st;
}

static enum moult_status look_in(struct board *board, uint8_t *copy, struct look *out)
{
    enum moult_status st = board_look(board, copy, BOARD_FILE_SIZE);
    out->boots = st == MOULT_OK;
    if (st != MOULT_OK && st != MOULT_E_STATE) { return st; }
    out->next = board->port.boot.booted;
    st = settings_load(&board->port.nvs, &out->settings);
    if (st == MOULT_OK) { st = look_at_slots(board, out); }
    if (st == MOULT_OK) { st = look_at_readings(board, out); }
    if (st == MOULT_OK && out->boots) { st = ask_engine(board, out); }
    return st == MOULT_E_NOENT ? MOULT_E_FORMAT : st;
}

enum moult_status look_at(const char *path, struct look *out)
{
    memset(out, 0, sizeof *out);
    if (moult_psa_start() != MOULT_OK) { return MOULT_E_INTERNAL; }
    uint8_t *copy = malloc(BOARD_FILE_SIZE);
    struct board *board = malloc(sizeof *board);
    enum moult_status st = MOULT_E_NOMEM;
    if (copy && board) { st = load(path, copy, &out->is_running); }
    if (st == MOULT_OK) { st = look_in(board, copy, out); }
    free(board);
    free(copy);
    return st;
}
