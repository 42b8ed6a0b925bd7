/* component.h - what the flow of an update asks of the components, where there are any.
 *
 * Layer    device, private. The engine reaches the code of components only through the
 *          hooks that moult_component_add() sets: a product without any links none of it.
 *          The functions below answer for the case without hooks. Design:
 *          docs/design/components.md.
 */
#ifndef MOULT_DEVICE_COMPONENT_H
#define MOULT_DEVICE_COMPONENT_H

#include "device/src/flow.h"
#include "moult/component.h"

struct moult_component_hooks {
    /* Step 0: what the journal knows of them. The plan is loaded. */
    void (*load)(struct moult_session *s);
    /* Step 8: component and sequence of what is installed, at most MOULT_COMPONENTS_MAX.
     * Returns the count. */
    unsigned (*installed)(const struct moult_session *s, struct moult_dependency *out);
    /* Step 9, the application's component apart; then they are wanted. s->offer is the
     * application's. Where it runs already: whether they are in place, or staged for it;
     * what was given up is due again. */
    enum moult_detail (*fit)(struct moult_session *s, const struct moult_release *release,
                             bool is_running);
    /* As moult_has_target(), moult_target_erase(), moult_target_program() and a read of the
     * target, where the plan is of a component. */
    bool (*has_target)(const struct moult_session *s);
    enum moult_status (*read)(struct moult_session *s, uint32_t offset, uint8_t *out,
                              uint32_t size);
    enum moult_status (*erase)(struct moult_session *s, uint32_t offset);
    enum moult_status (*program)(struct moult_session *s, uint32_t offset,
                                 const uint8_t *data, uint32_t size);
    /* Whether all that are wanted were read back in this boot; if not, the state COMPONENT
     * does that next and comes back to RECHECK. */
    bool (*is_proven)(struct moult_session *s);
    /* Step 15: all ones when each component of the release is the one that is staged. */
    uint32_t (*agrees)(const struct moult_session *s, const struct moult_release *release);
    /* Whether one is to be applied now. */
    bool (*is_due)(const struct moult_session *s);
    /* The states COMPONENT and APPLY. */
    enum moult_state (*stage)(struct moult_session *s);
    enum moult_state (*apply)(struct moult_session *s);
    /* "component 16" when one is in hand, else NULL. */
    const char *(*words)(const struct moult_session *s, char text[16]);
};

static inline unsigned moult_components_installed(const struct moult_session *s,
                                                  struct moult_dependency *out)
{
    return s->parts.hooks ? s->parts.hooks->installed(s, out) : 0;
}

static inline enum moult_detail moult_components_fit(struct moult_session *s,
                                                     const struct moult_release *release,
                                                     bool is_running)
{
    if (s->parts.hooks) { return s->parts.hooks->fit(s, release, is_running); }
    return release->component_count == 1 ? MOULT_D_NONE : MOULT_D_COMPONENT;
}

static inline uint32_t moult_components_agree(const struct moult_session *s,
                                              const struct moult_release *release)
{
    if (s->parts.hooks) { return s->parts.hooks->agrees(s, release); }
    return release->component_count == 1 ? UINT32_MAX : 0;
}

bool moult_components_are_due(const struct moult_session *s);

#endif
