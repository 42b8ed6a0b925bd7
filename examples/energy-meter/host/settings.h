/* settings.h - who a virtual device is and whom it talks to, as stored in its flash.
 *
 * Layer    examples/energy-meter/host.
 * Format   one key of MOULT_SIM_SPACE_DEVICE per setting: "id" 16 bytes, "table" 32 bytes,
 *          "engine" lines of NAME=NUMBER, all others text without NUL.
 * Memory   struct settings, about 14 KB, the caller's.
 */
#ifndef METER_HOST_SETTINGS_H
#define METER_HOST_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/status.h"
#include "moult/update.h"
#include "ports/posix/identity.h"
#include "ports/sim/nvs.h"

#define SETTINGS_TEXT_SIZE 256u
#define SETTINGS_ENGINE_SIZE 1024u

struct settings {
    uint8_t device_id[16];
    uint8_t table_digest[32];           /* of the partition table as provisioned */
    char name[65];                      /* also the serial number in the facts */
    char server[SETTINGS_TEXT_SIZE];    /* "https://host:port" */
    char broker[SETTINGS_TEXT_SIZE];    /* "host:port"; "": none */
    char trigger[8];                    /* "pull", "push", "hybrid" */
    char ca[MOULT_PEM_SIZE_MAX];        /* vouches for server and broker */
    char ca_backup[MOULT_PEM_SIZE_MAX]; /* "": none */
    char certificate[MOULT_PEM_SIZE_MAX];
    char key[MOULT_PEM_SIZE_MAX];
    char engine[SETTINGS_ENGINE_SIZE]; /* "interval_s=5\n..." */
};

/* MOULT_OK; MOULT_E_NOENT: not provisioned, some setting is missing; MOULT_E_FORMAT: one is
 * not what it should be; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status settings_load(const struct moult_sim_nvs *nvs,
                                                 struct settings *out);

/* Stores what differs. MOULT_OK; MOULT_E_SPACE; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status settings_save(struct moult_sim_nvs *nvs,
                                                 const struct settings *settings);

/* Numbers of the engine that can be set: every u32 of struct moult_config, and
 * throttle_bps. */
struct engine_numbers {
    struct moult_config config; /* only its numbers are set */
    uint32_t throttle_bps;
};

/* "NAME=NUMBER" into numbers; "none" is UINT32_MAX. False: no such name, or no number. */
bool engine_number_parse(const char *text, struct engine_numbers *numbers);

/* All lines of settings->engine. False: a line is not one. */
bool engine_numbers_of(const struct settings *settings, struct engine_numbers *out);

/* Replaces or adds a line. False: not valid, or no room. */
bool engine_number_set(struct settings *settings, const char *text);

/* The names, for the help text: name i from 0, NULL behind the last. */
const char *engine_number_name(unsigned i);

/* "pull", "push", "hybrid". False: another word. */
bool trigger_parse(const char *text, enum moult_trigger *out);

#endif
