/* json.h - the little JSON that moult-device writes.
 *
 * Layer    examples/energy-meter/host.
 */
#ifndef METER_HOST_JSON_H
#define METER_HOST_JSON_H

#include <stdint.h>

/* Members of an object on stdout, "first" without a comma before it. */
void json_text(const char *name, const char *value); /* NULL: null */
void json_number(const char *name, int64_t value);
void json_hex(const char *name, const uint8_t *data, uint32_t size); /* at most 32 bytes */
void json_bool(const char *name, int value);

/* name NULL: the outermost, or an element of a list. */
void json_open(const char *name, char bracket);
void json_close(char bracket);

#endif
