/* choose.c - see choose.h. */
#include "examples/energy-meter/host/choose.h"
#include <stdio.h>
#include <string.h>
#include "examples/energy-meter/host/files.h"
#include "formats/bytes.h"
#include "ports/posix/url.h"

/* A text of the command line into a setting. */
static bool take_text(const char *option, const char *text, char *out, size_t size)
{
    if (!text) { return true; }
    if (strlen(text) >= size) {
        complain("%s: expected at most %zu characters", option, size - 1);
        return false;
    }
    snprintf(out, size, "%s", text);
    return true;
}

static bool take_pem(const char *path, char out[MOULT_PEM_SIZE_MAX])
{
    return !path || file_load_text(path, out, MOULT_PEM_SIZE_MAX);
}

/* Names appear in reports and on command lines: nothing that would have to be quoted. */
static bool check_name(const struct settings *settings)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789._-";
    if (strspn(settings->name, fine) == strlen(settings->name)) { return true; }
    complain("--name expects letters, digits, dots, dashes and underscores, found \"%s\"",
             settings->name);
    return false;
}

static bool check_places(const struct settings *settings)
{
    struct moult_url url;
    enum moult_trigger trigger;
    if (settings->server[0] && moult_url_parse(settings->server, &url) != MOULT_OK) {
        complain("--server expects https://host[:port], found \"%s\"", settings->server);
        return false;
    }
    bool has_broker = settings->broker[0] != 0;
    if (has_broker && (moult_host_parse(settings->broker, &url) != MOULT_OK || !url.port)) {
        complain("--broker expects host:port, found \"%s\"", settings->broker);
        return false;
    }
    if (!trigger_parse(settings->trigger, &trigger)) {
        complain("--trigger expects pull, push or hybrid, found \"%s\"", settings->trigger);
        return false;
    }
    if (trigger != MOULT_TRIGGER_PULL && !has_broker) {
        complain("--trigger %s needs --broker HOST:PORT", settings->trigger);
        return false;
    }
    return true;
}

bool choose_settings(const struct arguments *arguments, struct settings *settings)
{
    const char *broker = arguments->broker;
    if (broker && strcmp(broker, "none") == 0) { broker = ""; }
    bool is_good =
        take_text("--name", arguments->name, settings->name, sizeof settings->name) &&
        take_text("--server", arguments->server, settings->server,
                  sizeof settings->server) &&
        take_text("--broker", broker, settings->broker, sizeof settings->broker) &&
        take_text("--trigger", arguments->trigger, settings->trigger,
                  sizeof settings->trigger) &&
        take_pem(arguments->ca, settings->ca) &&
        take_pem(arguments->ca_backup, settings->ca_backup) &&
        take_pem(arguments->certificate, settings->certificate) &&
        take_pem(arguments->key, settings->key);
    for (unsigned i = 0; i < arguments->number_count && is_good; i++) {
        is_good = engine_number_set(settings, arguments->numbers[i]);
        if (!is_good) { complain("--set: no room for \"%s\"", arguments->numbers[i]); }
    }
    if (is_good && !settings->trigger[0]) {
        snprintf(settings->trigger, sizeof settings->trigger, "%s",
                 settings->broker[0] ? "hybrid" : "pull");
    }
    return is_good && check_name(settings) && check_places(settings);
}

/* --- Who it is ---------------------------------------------------------------------------
 */

/* The id that a certificate names, else the one that follows from its key. */
static bool find_id(struct settings *settings, const uint8_t spki[32])
{
    char name[64];
    memcpy(settings->device_id, spki, sizeof settings->device_id);
    if (!settings->certificate[0]) { return true; }
    if (moult_identity_name(settings->certificate, name, sizeof name) != MOULT_OK) {
        complain("--cert: not a certificate in PEM");
        return false;
    }
    uint8_t named[16];
    if (strlen(name) == 32 && moult_hex_decode(name, named, sizeof named)) {
        memcpy(settings->device_id, named, sizeof named);
    }
    return true;
}

static bool check_pair(const struct settings *settings, const uint8_t spki[32])
{
    uint8_t other[32];
    if (moult_identity_of_certificate(settings->certificate, other) != MOULT_OK) {
        complain("--cert: not a certificate in PEM");
        return false;
    }
    if (memcmp(spki, other, sizeof other) == 0) { return true; }
    complain("--cert and --key are not a pair");
    return false;
}

static bool make_certificate(const struct arguments *arguments, struct settings *settings)
{
    char id[33], ca_key[MOULT_PEM_SIZE_MAX];
    moult_hex_encode(settings->device_id, sizeof settings->device_id, id);
    if (!take_pem(arguments->ca_key, ca_key)) { return false; }
    bool has_ca = arguments->ca_key != NULL;
    enum moult_status st =
        moult_identity_issue(settings->key, id, has_ca ? settings->ca : NULL,
                             has_ca ? ca_key : NULL, settings->certificate);
    if (st == MOULT_E_FORMAT) {
        complain("--ca and --ca-key: expected a CA and its key in PEM");
    } else if (st != MOULT_OK) {
        complain("no certificate could be made: no randomness or memory");
    }
    return st == MOULT_OK;
}

bool choose_identity(const struct arguments *arguments, struct settings *settings)
{
    uint8_t spki[32];
    char id[33];
    if (settings->certificate[0] && !settings->key[0]) {
        complain("--cert needs --key");
        return false;
    }
    if (!settings->key[0] && moult_identity_make_key(settings->key) != MOULT_OK) {
        complain("no key could be made: no randomness or memory");
        return false;
    }
    if (moult_identity_of_key(settings->key, spki) != MOULT_OK) {
        complain("--key: not a private key in PEM");
        return false;
    }
    if (!find_id(settings, spki)) { return false; }
    bool is_good = settings->certificate[0] ? check_pair(settings, spki)
                                            : make_certificate(arguments, settings);
    if (is_good && !settings->name[0]) {
        moult_hex_encode(settings->device_id, sizeof settings->device_id, id);
        snprintf(settings->name, sizeof settings->name, "meter-%.8s", id);
    }
    return is_good;
}

bool write_papers(const struct arguments *arguments, const struct settings *settings)
{
    char id[33], request[MOULT_PEM_SIZE_MAX];
    moult_hex_encode(settings->device_id, sizeof settings->device_id, id);
    if (arguments->certificate_out &&
        !file_save_text(arguments->certificate_out, settings->certificate, 0644)) {
        return false;
    }
    if (!arguments->request_out) { return true; }
    if (moult_identity_request(settings->key, id, request) != MOULT_OK) {
        complain("no certificate request could be made");
        return false;
    }
    return file_save_text(arguments->request_out, request, 0644);
}
