/* component.c - see moult/component.h: registering, what is known, what a release may ask.
 */
#include <assert.h>
#include <string.h>
#include "device/src/component_io.h"
#include "device/src/contact.h"
#include "device/src/pack.h"
#include "device/src/record.h"

enum { SECTORS_BEHIND = 2 }; /* of the application, erased by CLEAN */

/* --- where --- */

/* The end of a slot as a region. The port, and this, keep the running slot from it. */
static uint32_t place(const struct moult_data_component *c, uint32_t offset)
{
    return c->slot_offset + offset;
}

static int32_t tail_read(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    const struct moult_data_component *c = context;
    const struct moult_port *port = c->work.session->port;
    return port->flash_read(port->context, c->work.slot, place(c, offset), out, size);
}

static int32_t tail_erase(void *context, uint32_t offset)
{
    const struct moult_data_component *c = context;
    const struct moult_port *port = c->work.session->port;
    if (c->work.slot == c->work.session->running.boot.running) { return -1; }
    return port->flash_erase(port->context, c->work.slot, place(c, offset));
}

static int32_t tail_write(void *context, uint32_t offset, const uint8_t *data, size_t size)
{
    const struct moult_data_component *c = context;
    const struct moult_port *port = c->work.session->port;
    if (c->work.slot == c->work.session->running.boot.running) { return -1; }
    return port->flash_write(port->context, c->work.slot, place(c, offset), data, size);
}

static int32_t tail_is_erased(void *context, uint32_t offset, size_t size, bool *is_erased)
{
    const struct moult_data_component *c = context;
    const struct moult_port *port = c->work.session->port;
    return port->flash_is_erased(port->context, c->work.slot, place(c, offset), size,
                                 is_erased);
}

const struct moult_region *moult_component_staging(const struct moult_data_component *c)
{
    if (c->banks) { return &c->banks[c->work.slot]; }
    return c->staging ? c->staging : &c->work.tail;
}

const struct moult_region *moult_component_live(const struct moult_data_component *c)
{
    const struct moult_session *s = c->work.session;
    uint8_t running = s->running.boot.running;
    if (!c->banks) { return c->live; }
    return running < s->port->slot_count ? &c->banks[running] : NULL;
}

/* --- the target of a plan --- */

static const struct moult_region *target(const struct moult_session *s)
{
    const struct moult_data_component *c = moult_component_find(s, s->plan.component);
    assert(c && c->work.slot == s->plan.slot && s->plan.slot != s->running.boot.running);
    return moult_component_staging(c);
}

static bool has_component_target(const struct moult_session *s)
{
    const struct moult_data_component *c = moult_component_find(s, s->plan.component);
    return c && c->work.slot == s->plan.slot && s->plan.slot < s->port->slot_count &&
           s->plan.slot != s->running.boot.running && s->plan.size > 0 &&
           s->plan.size <= moult_component_staging(c)->size;
}

static enum moult_status read_component(struct moult_session *s, uint32_t offset,
                                        uint8_t *out, uint32_t size)
{
    const struct moult_region *region = target(s);
    s->trouble.native = region->read(region->context, offset, out, size);
    return s->trouble.native == 0 ? MOULT_OK : MOULT_E_IO;
}

static enum moult_status erase_component(struct moult_session *s, uint32_t offset)
{
    return moult_region_erase(s, target(s), offset);
}

static enum moult_status program_component(struct moult_session *s, uint32_t offset,
                                           const uint8_t *data, uint32_t size)
{
    return moult_region_program(s, target(s), offset, (struct moult_bytes){data, size});
}

/* --- journal: docs/design/journal.md, "parts" --- */

enum { PARTS_VERSION = 1, PARTS_HEAD = 2, PARTS_ENTRY = 91, STAGED = 1, INCOMPLETE = 2 };
_Static_assert(PARTS_HEAD + PARTS_ENTRY * MOULT_COMPONENTS_MAX + MOULT_RECORD_HEADER +
                       MOULT_RECORD_TRAILER <=
                   MOULT_RECORD_MAX,
               "a small record");

static const struct moult_member bytes_members[] = {
    MOULT_MEMBER(struct moult_component_bytes, size, NUMBER),
    MOULT_MEMBER(struct moult_component_bytes, digest, BYTES),
    MOULT_MEMBER(struct moult_component_bytes, sequence, NUMBER),
};
enum { BYTES_MEMBERS = sizeof bytes_members / sizeof bytes_members[0] };

enum moult_status moult_component_store(struct moult_session *s)
{
    size_t count = 0;
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        count++;
    }
    assert(count <= MOULT_COMPONENTS_MAX);
    struct moult_frame frame = moult_small_frame(s);
    size_t size = PARTS_HEAD + PARTS_ENTRY * count;
    struct moult_pack pack = moult_record_pack(frame, size);
    moult_put(&pack, PARTS_VERSION, 1);
    moult_put(&pack, count, 1);
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        const struct moult_component_work *w = &c->work;
        unsigned flags =
            (w->is_staged ? STAGED : 0u) | (w->is_incomplete ? INCOMPLETE : 0u);
        moult_put(&pack, c->id, 1);
        moult_put(&pack, flags, 1);
        moult_put(&pack, w->slot, 1);
        moult_put_members(&pack, bytes_members, BYTES_MEMBERS, &w->staged);
        moult_put_members(&pack, bytes_members, BYTES_MEMBERS, &w->live);
    }
    assert(!pack.is_bad && pack.at == pack.end);
    return moult_record_store(s, MOULT_RECORD_PARTS, frame, size);
}

/* What a plan of a release that was staged wants, it still wants after a reset. */
static void load_entry(struct moult_session *s, struct moult_pack *pack)
{
    struct moult_component_work read = {0};
    struct moult_data_component *c = moult_component_find(s, (uint8_t)moult_get(pack, 1));
    unsigned flags = (unsigned)moult_get(pack, 1);
    read.slot = (uint8_t)moult_get(pack, 1);
    moult_get_members(pack, bytes_members, BYTES_MEMBERS, &read.staged);
    moult_get_members(pack, bytes_members, BYTES_MEMBERS, &read.live);
    if (!c || pack->is_bad || read.slot >= s->port->slot_count) { return; }
    struct moult_component_work *w = &c->work;
    w->slot = read.slot;
    w->staged = read.staged;
    w->live = read.live;
    w->is_staged = (flags & STAGED) != 0 && w->staged.size > 0 &&
                   w->staged.size <= moult_component_staging(c)->size;
    w->is_incomplete = w->is_interrupted = (flags & INCOMPLETE) != 0;
    w->is_wanted = w->is_staged && w->staged.sequence == s->plan.sequence &&
                   s->plan.stage != MOULT_STAGE_NONE;
}

/* Without a record nothing is known of the live bytes but that nobody was replacing them.
 */
static void load_components(struct moult_session *s)
{
    size_t size;
    bool is_damaged; /* the older record then counts: what it says is proven before use */
    struct moult_frame frame = moult_small_frame(s);
    s->parts.is_loaded = true;
    enum moult_status st =
        moult_record_load(s, MOULT_RECORD_PARTS, frame, &size, &is_damaged);
    if (st != MOULT_OK) { return; }
    struct moult_pack pack = moult_record_pack(frame, size);
    uint64_t version = moult_get(&pack, 1);
    uint64_t count = moult_get(&pack, 1);
    if (version != PARTS_VERSION || count > MOULT_COMPONENTS_MAX) { return; }
    for (uint64_t i = 0; i < count; i++) {
        load_entry(s, &pack);
    }
}

/* --- steps 8, 9 and 15 --- */

static unsigned list_components(const struct moult_session *s, struct moult_dependency *out)
{
    unsigned count = 0;
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        assert(count < MOULT_COMPONENTS_MAX);
        out[count++] = (struct moult_dependency){c->id, c->work.live.sequence};
    }
    return count;
}

static bool is_label_right(const struct moult_data_component *c, struct moult_bytes label)
{
    size_t size = c->label ? strlen(c->label) : 0;
    return label.size == size && (size == 0 || memcmp(label.data, c->label, size) == 0);
}

/* The application, with what is erased behind it, must leave the end of the slot alone. */
static bool has_room(const struct moult_session *s, const struct moult_data_component *c,
                     uint32_t size)
{
    const struct moult_region *area = c->banks     ? &c->banks[s->offer.slot]
                                      : c->staging ? c->staging
                                                   : &c->work.tail;
    if (size > area->size || (c->live && size > c->live->size)) { return false; }
    if (area != &c->work.tail) { return true; }
    uint32_t sectors = (s->offer.size - 1) / MOULT_SECTOR_SIZE + 1 + SECTORS_BEHIND;
    return sectors <= c->slot_offset / MOULT_SECTOR_SIZE;
}

static enum moult_detail misfit(const struct moult_session *s,
                                const struct moult_data_component *c,
                                const struct moult_component *wanted)
{
    uint16_t revision = s->config.chip_revision;
    if (!c || wanted->format != MOULT_FORMAT_RAW) { return MOULT_D_COMPONENT; }
    bool is_bound = wanted->chip_id != MOULT_CHIP_ANY;
    if (is_bound && wanted->chip_id != s->config.chip_id) { return MOULT_D_CHIP; }
    if (revision < wanted->revision_min || revision > wanted->revision_max) {
        return MOULT_D_CHIP_REV;
    }
    if (!has_room(s, c, wanted->size)) { return MOULT_D_SLOT_SIZE; }
    return is_label_right(c, wanted->label) ? MOULT_D_NONE : MOULT_D_PARTITION;
}

/* From now on this is what is to be staged. Known to be staged already: so it stays. */
static void want(struct moult_session *s, struct moult_data_component *c,
                 const struct moult_component *wanted, uint64_t sequence)
{
    struct moult_component_work *w = &c->work;
    bool is_same = w->slot == s->offer.slot && w->staged.sequence == sequence &&
                   w->staged.size == wanted->size &&
                   memcmp(w->staged.digest, wanted->digest, 32) == 0;
    w->is_wanted = true;
    if (is_same) { return; }
    w->slot = s->offer.slot;
    w->staged = (struct moult_component_bytes){.size = wanted->size, .sequence = sequence};
    memcpy(w->staged.digest, wanted->digest, 32);
    w->is_staged = w->is_proven = false;
}

/* A bank that a release leaves out would be started with whatever it held two versions
 * ago. */
static const struct moult_data_component *left_out(const struct moult_session *s,
                                                   const struct moult_release *release)
{
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        if (c->banks && !moult_release_component(release, c->id)) { return c; }
    }
    return NULL;
}

/* The release of the application that runs. Its data cannot be staged any more: there is no
 * other slot that it would belong to. */
static enum moult_detail look_again(struct moult_session *s,
                                    const struct moult_release *release)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct moult_component *wanted = &release->components[i];
        struct moult_data_component *c = moult_component_find(s, wanted->id);
        if (wanted->id == MOULT_COMPONENT_APP) { continue; }
        s->parts.id = wanted->id;
        if (!c) { return MOULT_D_COMPONENT; }
        struct moult_component_work *w = &c->work;
        bool is_live = memcmp(w->live.digest, wanted->digest, 32) == 0;
        bool is_staged = w->is_staged && w->staged.sequence == release->sequence;
        if (!is_live && !is_staged) { return MOULT_D_COMPONENT; }
        if (is_staged) { w->is_given_up = false; }
    }
    s->parts.id = 0;
    return MOULT_D_NONE;
}

static enum moult_detail fit_components(struct moult_session *s,
                                        const struct moult_release *release,
                                        bool is_running)
{
    if (is_running) { return look_again(s, release); }
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct moult_component *wanted = &release->components[i];
        if (wanted->id == MOULT_COMPONENT_APP) { continue; }
        s->parts.id = wanted->id;
        enum moult_detail why = misfit(s, moult_component_find(s, wanted->id), wanted);
        if (why != MOULT_D_NONE) { return why; }
    }
    const struct moult_data_component *missing = left_out(s, release);
    s->parts.id = missing ? missing->id : 0;
    if (missing) { return MOULT_D_COMPONENT; }

    for (struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        const struct moult_component *wanted = moult_release_component(release, c->id);
        c->work.is_wanted = false;
        if (wanted) { want(s, c, wanted, release->sequence); }
    }
    s->parts.is_written = s->parts.is_proving = false;
    s->parts.app_size = s->offer.size;
    memcpy(s->parts.app_digest, s->offer.digest, 32);
    return MOULT_D_NONE;
}

static bool are_components_proven(struct moult_session *s)
{
    bool is_all = true;
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        if (c->work.is_wanted) { is_all &= c->work.is_staged && c->work.is_proven; }
    }
    s->parts.is_proving = !is_all;
    return is_all;
}

static uint32_t do_components_agree(const struct moult_session *s,
                                    const struct moult_release *release)
{
    volatile uint32_t agreed = 1; /* the application: compared by the caller */
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct moult_component *signed_one = &release->components[i];
        const struct moult_data_component *c = moult_component_find(s, signed_one->id);
        if (!c || !c->work.is_staged) { continue; }
        const struct moult_component_bytes *staged = &c->work.staged;
        bool is_same = c->work.slot == s->plan.slot && staged->size == signed_one->size &&
                       staged->sequence == release->sequence &&
                       moult_bytes_equal(staged->digest, signed_one->digest, 32);
        agreed = agreed + is_same;
    }
    return agreed == release->component_count ? UINT32_MAX : 0;
}

static const char *component_words(const struct moult_session *s, char text[16])
{
    static const char word[] = "component ";
    memcpy(text, word, sizeof word);
    moult_decimal(text + sizeof word - 1, s->parts.id);
    return text;
}

/* --- the application's side --- */

static const struct moult_component_hooks hooks = {
    .load = load_components,
    .installed = list_components,
    .fit = fit_components,
    .has_target = has_component_target,
    .read = read_component,
    .erase = erase_component,
    .program = program_component,
    .is_proven = are_components_proven,
    .agrees = do_components_agree,
    .is_due = moult_component_is_due,
    .stage = moult_component_stage,
    .apply = moult_component_apply,
    .words = component_words,
};

static bool is_region_good(const struct moult_region *r)
{
    return r->read && r->erase && r->write && r->is_erased && r->size > 0 &&
           r->size % MOULT_SECTOR_SIZE == 0;
}

static bool are_banks_good(const struct moult_session *s,
                           const struct moult_data_component *c)
{
    for (uint32_t i = 0; c->banks && i < s->port->slot_count; i++) {
        if (!is_region_good(&c->banks[i])) { return false; }
    }
    return true;
}

static bool is_good(const struct moult_session *s, const struct moult_data_component *c)
{
    const struct moult_peripheral *p = c->peripheral;
    int places = (c->banks != NULL) + (c->live != NULL) + (p != NULL);
    bool has_tail = !c->banks && !c->staging;
    bool is_tail_good = c->slot_offset > 0 && c->slot_offset < s->port->slot_size &&
                        c->slot_offset % MOULT_SECTOR_SIZE == 0;
    return c->id != MOULT_COMPONENT_APP && c->id != MOULT_COMPONENT_BOOTLOADER &&
           places == 1 && (!c->label || strlen(c->label) <= MOULT_RELEASE_LABEL_MAX) &&
           are_banks_good(s, c) && (!c->live || is_region_good(c->live)) &&
           (!c->staging || is_region_good(c->staging)) && (!has_tail || is_tail_good) &&
           (!p || (p->digest && p->begin && p->write && p->end));
}

enum moult_status moult_component_add(struct moult_session *s,
                                      struct moult_data_component *c)
{
    struct moult_data_component **at = &s->parts.first;
    unsigned count = 0;
    if (!is_good(s, c)) { return MOULT_E_ARG; }
    if (moult_component_find(s, c->id)) { return MOULT_E_EXISTS; }
    for (const struct moult_data_component *i = s->parts.first; i; i = i->work.next) {
        count++;
    }
    if (count == MOULT_COMPONENTS_MAX) { return MOULT_E_SPACE; }
    while (*at && (*at)->id < c->id) {
        at = &(*at)->work.next;
    }
    c->work = (struct moult_component_work){
        .session = s,
        .next = *at,
        .tail = {c, s->port->slot_size - c->slot_offset, tail_read, tail_erase, tail_write,
                 tail_is_erased},
    };
    *at = c;
    s->parts.hooks = &hooks;
    return MOULT_OK;
}

static enum moult_component_state state_of(const struct moult_data_component *c)
{
    const struct moult_component_work *w = &c->work;
    if (!w->session || !w->session->parts.is_loaded) { return MOULT_COMPONENT_UNKNOWN; }
    if (w->is_incomplete) { return MOULT_COMPONENT_INCOMPLETE; }
    bool is_waiting = w->is_staged && !c->banks &&
                      w->staged.sequence == w->session->running.info.sequence;
    return is_waiting ? MOULT_COMPONENT_WAITING : MOULT_COMPONENT_READY;
}

void moult_component_look(const struct moult_data_component *c,
                          struct moult_component_info *out)
{
    const struct moult_component_work *w = &c->work;
    bool is_bank = c->banks && w->session && w->is_staged &&
                   w->slot == w->session->running.boot.running;
    const struct moult_component_bytes *now = is_bank ? &w->staged : &w->live;
    *out = (struct moult_component_info){state_of(c), now->sequence, now->size};
}
