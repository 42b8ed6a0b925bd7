/* update_server.h - the transport callbacks of the scripted server; see update_world.h. */
#ifndef MOULT_TESTS_SUPPORT_UPDATE_SERVER_H
#define MOULT_TESTS_SUPPORT_UPDATE_SERVER_H

#include "moult/port.h"

int32_t update_server_start(void *context, const struct moult_http_request *request);
enum moult_http_event update_server_poll(void *context, uint8_t *buffer, size_t capacity,
                                         size_t *size, struct moult_http_reply *reply,
                                         struct moult_http_failure *failure);
void update_server_cancel(void *context);

/* The world whose simulated port this context is. */
struct world *update_world_of(void *context);

#endif
