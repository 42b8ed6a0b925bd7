/* contact.h - when to talk to the server, and one HTTP exchange at a time.
 *
 * Layer    device, private.
 */
#ifndef MOULT_DEVICE_CONTACT_H
#define MOULT_DEVICE_CONTACT_H

#include "moult/session.h"

#define MOULT_INTERVAL_MAX_S 2678400u  /* 31 d: longer silence is not obeyed */
#define MOULT_PUSH_INTERVAL_S 86400u   /* trigger "push": once a day */
#define MOULT_NONCE_AGE_MAX_MS 120000u /* a later answer is not believed */
#define MOULT_KEYSET_REFRESH_S                                                             \
    604800u /* 7 d: a look for a newer keyset that nobody asked for */
#define MOULT_RETRY_AFTER_MAX_S 86400u /* a longer Retry-After is cut */
#define MOULT_SPREAD_MAX_S 86400u      /* likewise the spread of a wake */

/* First check-in after a boot: spread, unless something waits to be told or finished. */
void moult_contact_boot(struct moult_session *s);

/* Next one as the server said, within bounds, +-10 %. */
void moult_contact_next(struct moult_session *s, uint32_t next_s);

/* No later than the shortest interval from now: there is something to tell. */
void moult_contact_soon(struct moult_session *s);

/* At once, whatever was planned (a wake, a button), but not before a Retry-After ends. */
void moult_contact_now(struct moult_session *s, uint32_t spread_ms);

/* The exchange failed (s->trouble): back off with jitter, obey Retry-After. */
void moult_contact_failed(struct moult_session *s);

/* It worked: tell once what had failed before, forget it. */
void moult_contact_worked(struct moult_session *s);

/* Delay after `failures` failures in a row: doubling, capped, +-50 %; at least Retry-After.
 * */
uint32_t moult_backoff_ms(struct moult_session *s, uint32_t failures);

/* Whether the advice on the trouble's reason is a back-off: no connection, timeouts, 408,
 * 429, 5xx. Otherwise the same request need not be made again. */
bool moult_is_transient(const struct moult_session *s);

/* --- one exchange --- */

enum moult_fetch {
    MOULT_FETCH_BUSY,      /* call again */
    MOULT_FETCH_DONE,      /* 2xx and the whole body is in the buffer */
    MOULT_FETCH_FAILED,    /* s->trouble says why: NET, TLS or HTTP (native: the status) */
    MOULT_FETCH_TOO_LARGE, /* the body has more than capacity bytes */
};

/* Starts a GET (body.size 0) or POST of CBOR for a path under the base URL. False:
 * s->trouble. */
bool moult_fetch_begin(struct moult_session *s, const char *path, struct moult_bytes body);

/* One poll; the body goes to out. *size counts; set it to 0 before the first. */
enum moult_fetch moult_fetch_poll(struct moult_session *s, uint8_t *out, uint16_t capacity,
                                  uint16_t *size);

/* What a failed request is called: the detail and reason of a kind of failure. */
void moult_net_trouble(struct moult_session *s, const struct moult_http_failure *failure);
void moult_http_trouble(struct moult_session *s, uint16_t status);

/* A decimal number and a NUL at `to`; returns where the NUL is. */
char *moult_decimal(char *to, uint32_t value);

#endif
