/* status.c - what GET /status and GET /products say of devices, store and outages; see
 * admin.h. */
#include <string.h>
#include "formats/chip.h"
#include "server/control/admin.h"
#include "server/control/checkin.h"
#include "server/control/internal.h"
#include "server/control/problem.h"
#include "server/control/views.h"
#include "server/store/store_admin.h"

enum { OUTAGES_SHOWN = 10 };

static json_t *devices_by_state(struct control *control)
{
    json_t *states = json_object();
    for (unsigned i = 1; i < DEVICE_STATE_COUNT; i++) {
        json_object_set_new(states, device_state_word(i),
                            json_integer(device_table_state_count(control->devices, i)));
    }
    return states;
}

static bool add_outage(void *context, int64_t began_ms, int64_t ended_ms)
{
    json_t *outage =
        json_pack("{s:o, s:o}", "began", view_time(began_ms), "ended", view_time(ended_ms));
    return json_array_append_new(context, outage) == 0;
}

enum moult_status control_status(const struct control_call *call, json_t **out)
{
    struct control *control = call->control;
    char fleet[33];
    moult_hex_encode(control->config.fleet_id, 16, fleet);
    json_t *outages = json_array();
    enum moult_status st = store_outage_each(call->db, OUTAGES_SHOWN, add_outage, outages);
    if (st != MOULT_OK) {
        json_decref(outages);
        *out = NULL;
        return problem_store(call, st);
    }
    *out = json_pack("{s:s, s:o, s:o, s:I, s:{s:I}, s:o}", "fleet_id", fleet, "time",
                     view_time(call->now_ms), "devices", devices_by_state(control),
                     "keyset_version", (json_int_t)control_keyset_newest(control), "store",
                     "queue", (json_int_t)store_queue_count(control->parts.store),
                     "outages", outages);
    return problem_store(call, *out ? MOULT_OK : MOULT_E_NOMEM);
}

enum moult_status control_products(const struct control_call *call, json_t **out)
{
    const struct control_config *config = &call->control->config;
    json_t *classes = json_array();
    for (size_t i = 0; i < config->class_count; i++) {
        char id[33];
        moult_hex_encode(config->classes[i].id, 16, id);
        json_array_append_new(classes,
                              json_pack("{s:s, s:s, s:s}", "name", config->classes[i].name,
                                        "class_id", id, "chip",
                                        moult_chip_name(config->classes[i].chip_id)));
    }
    *out = json_pack("{s:[{s:s, s:o}], s:n}", "items", "name", config->product, "classes",
                     classes, "next");
    return problem_store(call, *out ? MOULT_OK : MOULT_E_NOMEM);
}
