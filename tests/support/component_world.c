/* component_world.c - see component_world.h. */
#include "tests/support/component_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "ports/sim/region.h"

enum { PLACE_WWW, PLACE_STAGING, PLACE_BANK_0, PLACE_BANK_1, PLACE_MOTOR, PLACES };
enum { MOTOR_SLOT_OFFSET = 0x8000, NATIVE_ERROR = 0x1105 };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "component_world.c: %s failed\n", what);
    abort();
}

/* --- one power supply for two flashes --- */

static void plan(struct moult_sim_flash *flash, const struct moult_sim_plan *cut,
                 uint64_t elsewhere)
{
    flash->plans[0] = *cut;
    flash->plans[0].at = cut->at > elsewhere ? cut->at - elsewhere : 0;
}

static void spread_cut(struct component_world *cw)
{
    struct moult_sim_flash *chip = &cw->w.device.chip.flash;
    if (chip->is_off) { /* it has struck */
        cw->cut.fault = MOULT_SIM_FAULT_NONE;
        cw->flash.is_off = true;
        chip->plans[0].fault = cw->flash.plans[0].fault = MOULT_SIM_FAULT_NONE;
    }
    if (cw->cut.fault == MOULT_SIM_FAULT_NONE) { return; }
    plan(chip, &cw->cut, cw->flash.operation_count);
    bool is_weak = cw->cut.fault == MOULT_SIM_CUT_WEAK;
    if (is_weak) {
        chip->plans[0].fault = MOULT_SIM_CUT_AFTER;
    } /* the store is not tested here */
    plan(&cw->flash, &cw->cut, chip->operation_count);
}

/* Before and after an operation on the partitions. */
static bool is_powered(struct component_world *cw)
{
    struct moult_sim_flash *chip = &cw->w.device.chip.flash;
    spread_cut(cw);
    return !chip->is_off;
}

static int32_t done(struct component_world *cw, int32_t result)
{
    if (cw->flash.is_off) { cw->w.device.chip.flash.is_off = true; }
    spread_cut(cw);
    return result;
}

static int32_t place_read(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    struct cw_place *p = context;
    if (!is_powered(p->cw)) { return NATIVE_ERROR; }
    return p->raw.read(p->raw.context, offset, out, size);
}

static int32_t place_erase(void *context, uint32_t offset)
{
    struct cw_place *p = context;
    if (!is_powered(p->cw)) { return NATIVE_ERROR; }
    return done(p->cw, p->raw.erase(p->raw.context, offset));
}

static int32_t place_write(void *context, uint32_t offset, const uint8_t *data, size_t size)
{
    struct cw_place *p = context;
    if (!is_powered(p->cw)) { return NATIVE_ERROR; }
    return done(p->cw, p->raw.write(p->raw.context, offset, data, size));
}

static int32_t place_is_erased(void *context, uint32_t offset, size_t size, bool *is_erased)
{
    struct cw_place *p = context;
    if (!is_powered(p->cw)) { return NATIVE_ERROR; }
    return p->raw.is_erased(p->raw.context, offset, size, is_erased);
}

/* --- the motor controller: forgets everything at begin(), then takes what it is given ---
 */

static bool is_busy(struct component_world *cw)
{
    if (cw->motor_calls++ < cw->motor_busy) { return true; }
    cw->motor_calls = 0;
    return false;
}

static int32_t motor_digest(void *context, uint32_t size, uint8_t out[32])
{
    struct component_world *cw = context;
    const struct cw_place *p = &cw->places[PLACE_MOTOR];
    if (is_busy(cw)) { return MOULT_NOT_YET; }
    if (!is_powered(cw) || size > p->size) { return NATIVE_ERROR; }
    return moult_sha256_once(&cw->w.fleet.crypto, cw->bits + p->at, size, out) == MOULT_OK
               ? 0
               : NATIVE_ERROR;
}

static int32_t motor_begin(void *context, uint32_t size)
{
    struct component_world *cw = context;
    (void)size;
    if (is_busy(cw)) { return MOULT_NOT_YET; }
    cw->motor_begun++;
    for (uint32_t at = 0; at < cw->places[PLACE_MOTOR].size; at += MOULT_SECTOR_SIZE) {
        int32_t native = place_erase(&cw->places[PLACE_MOTOR], at);
        if (native != 0) { return native; }
    }
    return 0;
}

static int32_t motor_write(void *context, uint32_t offset, const uint8_t *data, size_t size)
{
    struct component_world *cw = context;
    static uint8_t padded[MOULT_SECTOR_SIZE];
    if (is_busy(cw)) { return MOULT_NOT_YET; }
    if (cw->motor_fails > 0) {
        cw->motor_fails--;
        return NATIVE_ERROR;
    }
    memset(padded, 0xff, sizeof padded);
    memcpy(padded, data, size);
    return place_write(&cw->places[PLACE_MOTOR], offset, padded, sizeof padded);
}

static int32_t motor_end(void *context)
{
    return ((struct component_world *)context)->motor_error;
}

/* --- looking --- */

static bool holds(const struct component_world *cw, unsigned place,
                  const struct cw_file *file)
{
    const struct cw_place *p = &cw->places[place];
    const uint8_t *at = cw->bits + p->at;
    return file->size <= p->size && memcmp(at, file->data, file->size) == 0 &&
           moult_bytes_all(at + file->size, p->size - file->size, 0xff);
}

unsigned component_world_version(const struct component_world *cw, unsigned component,
                                 unsigned slot)
{
    unsigned place = component == CW_WWW     ? PLACE_WWW
                     : component == CW_MOTOR ? PLACE_MOTOR
                                             : PLACE_BANK_0 + slot;
    for (unsigned v = 1; v < CW_VERSIONS; v++) {
        if (holds(cw, place, &cw->files[component][v])) { return v; }
    }
    return 0;
}

uint64_t component_world_operations(const struct component_world *cw)
{
    return cw->w.device.chip.flash.operation_count + cw->flash.operation_count;
}

/* 1: what says READY is whole. 2: the bank of the running slot is its application's. 3: no
 * live byte is of a release that is not confirmed. */
static unsigned broken_promise(const struct component_world *cw)
{
    int slot = cw->w.device.port.boot.booted;
    unsigned sequence = (unsigned)cw->w.session.running.info.sequence;
    for (unsigned i = 0; i < CW_COMPONENTS && slot >= 0 && sequence > 0; i++) {
        struct moult_component_info info;
        if (!(cw->set >> i & 1)) { continue; }
        moult_component_look(&cw->components[i], &info);
        bool is_usable =
            info.state == MOULT_COMPONENT_READY || info.state == MOULT_COMPONENT_WAITING;
        unsigned version = component_world_version(cw, i, (unsigned)slot);
        if (is_usable && version == 0) { return 1; }
        if (i == CW_ASSETS && version == 0) { return 2; }
        bool is_on_trial = moult_on_trial(&cw->w.session);
        bool is_early = version > sequence || (is_on_trial && version == sequence);
        if (is_early && i != CW_ASSETS) { return 3; }
    }
    return 0;
}

/* --- beginning --- */

static enum moult_answer may_apply(void *context)
{
    struct component_world *cw = context;
    cw->asked++;
    return cw->may_apply;
}

static void booted(struct world *w)
{
    struct component_world *cw = (struct component_world *)(void *)w;
    if (cw->flash.is_off) { moult_sim_flash_power_on(&cw->flash); }
    for (unsigned i = 0; i < CW_COMPONENTS; i++) {
        memset(&cw->components[i].work, 0, sizeof cw->components[i].work);
        if (!(cw->set >> i & 1)) { continue; }
        must(moult_component_add(&w->session, &cw->components[i]) == MOULT_OK, "add");
    }
}

/* Everything that points into the struct. */
static void wire(struct component_world *cw)
{
    static const struct {
        uint32_t at, size;
    } rows[PLACES] = {{0, 0x3000},
                      {0x3000, 0x3000},
                      {0x6000, 0x2000},
                      {0x8000, 0x2000},
                      {0xa000, 0x2000}};
    moult_sim_storage_ram(&cw->storage, cw->bits, sizeof cw->bits);
    cw->flash.storage = &cw->storage;
    for (unsigned i = 0; i < PLACES; i++) {
        struct cw_place *p = &cw->places[i];
        p->cw = cw;
        p->at = rows[i].at;
        p->size = rows[i].size;
        p->raw = moult_sim_region(&p->part, &cw->flash, p->at, p->size);
        cw->regions[i] = (struct moult_region){p,           p->size,     place_read,
                                               place_erase, place_write, place_is_erased};
    }
    cw->motor =
        (struct moult_peripheral){cw, motor_digest, motor_begin, motor_write, motor_end};
    cw->components[CW_WWW] =
        (struct moult_data_component){.id = 1,
                                      .label = "www",
                                      .live = &cw->regions[PLACE_WWW],
                                      .staging = &cw->regions[PLACE_STAGING],
                                      .context = cw,
                                      .may_apply = may_apply};
    cw->components[CW_ASSETS] =
        (struct moult_data_component){.id = 3, .banks = &cw->regions[PLACE_BANK_0]};
    cw->components[CW_MOTOR] = (struct moult_data_component){
        .id = 16, .peripheral = &cw->motor, .slot_offset = MOTOR_SLOT_OFFSET};
}

static void make_files(struct component_world *cw)
{
    static const uint32_t sizes[CW_COMPONENTS] = {9000, 5000, 6001};
    for (unsigned i = 0; i < CW_COMPONENTS; i++) {
        for (unsigned v = 1; v < CW_VERSIONS; v++) {
            struct cw_file *file = &cw->files[i][v];
            file->size = sizes[i] - 100 * v;
            for (uint32_t at = 0; at < file->size; at++) {
                file->data[at] = (uint8_t)(at * 5 + i * 77 + v * 31 + (at >> 9) * v);
            }
        }
    }
}

static void put(struct component_world *cw, unsigned place, const struct cw_file *file)
{
    memcpy(cw->bits + cw->places[place].at, file->data, file->size);
}

void component_world_offer(struct component_world *cw, const struct world_image *image,
                           unsigned version, unsigned set)
{
    static const char *const names[CW_COMPONENTS] = {"www", "assets", "motor"};
    struct world *w = &cw->w;
    world_offer(w, image);
    w->part_count = 0;
    for (unsigned i = 0; i < CW_COMPONENTS; i++) {
        const struct cw_file *file = &cw->files[i][version];
        const char *label = cw->components[i].label;
        if (!(set >> i & 1)) { continue; }
        struct world_part *part = &w->parts[w->part_count++];
        *part = (struct world_part){
            cw->components[i].id, names[i], file->data, file->size, {0}};
        must(moult_sha256_once(&w->fleet.crypto, file->data, file->size, part->digest) ==
                 MOULT_OK,
             "digest");
        w->release.components[w->release.component_count++] = (struct moult_component){
            .id = part->component,
            .size = part->size,
            .digest = part->digest,
            .chip_id = MOULT_CHIP_ANY,
            .revision_max = UINT16_MAX,
            .label = {(const uint8_t *)label, label ? strlen(label) : 0},
            .present = label ? 1u << MOULT_COMPONENT_LABEL : 0,
        };
    }
    world_sign_release(w, 0);
}

void component_world_make(struct component_world *cw)
{
    memset(cw, 0, sizeof *cw);
    world_make(&cw->w);
    memset(cw->bits, 0xff, sizeof cw->bits);
    wire(cw);
    moult_sim_flash_init(&cw->flash, &cw->storage, CW_FLASH_SIZE);
    must(moult_sim_flash_allow(&cw->flash, 0, CW_FLASH_SIZE, false) == MOULT_OK, "allow");
    make_files(cw);
    put(cw, PLACE_WWW, &cw->files[CW_WWW][1]);
    put(cw, PLACE_BANK_0, &cw->files[CW_ASSETS][1]);
    put(cw, PLACE_MOTOR, &cw->files[CW_MOTOR][1]);
    cw->set = (1u << CW_COMPONENTS) - 1;
    cw->may_apply = MOULT_ANSWER_YES;
    cw->w.begun = booted;
    component_world_offer(cw, &cw->w.new, 2, cw->set);
}

void component_world_copy(struct component_world *cw, const struct component_world *fresh)
{
    world_copy(&cw->w, &fresh->w); /* gives back what the host's crypto library holds */
    memcpy((uint8_t *)cw + sizeof cw->w, (const uint8_t *)fresh + sizeof cw->w,
           sizeof *cw - sizeof cw->w);
    wire(cw);
    unsigned at = 0;
    for (unsigned i = 0; i < CW_COMPONENTS; i++) {
        for (unsigned v = 1; v < CW_VERSIONS && at < cw->w.part_count; v++) {
            if (cw->w.parts[at].data != fresh->files[i][v].data) { continue; }
            cw->w.parts[at].data = cw->files[i][v].data;
            cw->w.release.components[at + 1].digest = cw->w.parts[at].digest;
            at++;
            break;
        }
    }
    must(at == cw->w.part_count, "copy of the parts");
}

void component_world_free(struct component_world *cw)
{
    world_free(&cw->w);
}

bool component_world_boot(struct component_world *cw, uint8_t reset)
{
    spread_cut(cw);
    bool is_up = world_boot(&cw->w, reset);
    spread_cut(cw);
    return is_up;
}

bool component_world_step(struct component_world *cw)
{
    spread_cut(cw);
    bool is_on = world_step(&cw->w);
    spread_cut(cw);
    if (cw->broken == 0 && is_on) { cw->broken = broken_promise(cw); }
    return is_on && cw->broken == 0;
}

bool component_world_settle(struct component_world *cw)
{
    unsigned quiet_since = 0, boots = cw->w.boots;
    for (unsigned i = 0; i < WORLD_STEPS_MAX && cw->w.boots - boots < WORLD_BOOTS_MAX;
         i++) {
        if (!component_world_step(cw)) { return false; }
        bool is_quiet = world_is_quiet(&cw->w);
        if (is_quiet && quiet_since == 0) { quiet_since = cw->w.checkins + 1; }
        if (is_quiet && cw->w.checkins >= quiet_since + 1) { return true; }
    }
    return false;
}
