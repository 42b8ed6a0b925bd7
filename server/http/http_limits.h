/* http_limits.h - every maximum of the HTTP layer, with its reason.
 *
 * Layer    server/http. What is a deployment's choice is in struct http_server_options
 *          instead.
 */
#ifndef MOULT_SERVER_HTTP_LIMITS_H
#define MOULT_SERVER_HTTP_LIMITS_H

/* Parsing: the head of a request is kept whole in its exchange. */
#define HTTP_HEAD_SIZE_MAX                                                                 \
    8192u /* request line and fields; ours have < 600 B, browsers < 3 KB */
#define HTTP_TARGET_SIZE_MAX 2048u /* selectors in queries are the longest */
#define HTTP_METHOD_SIZE_MAX 16u   /* longest known one is 7 */
#define HTTP_HEADERS_MAX 48u       /* browsers behind a proxy send about 25 */
#define HTTP_SEGMENTS_MAX 12u      /* path segments; the API's deepest has 6 */
#define HTTP_PARAMS_MAX 4u         /* {params} of one route */
#define HTTP_QUERY_PAIRS_MAX 32u   /* key=value pairs of a query */

/* Bodies. */
#define HTTP_BODY_MEMORY_MAX 65536u /* larger ones are spooled to an unlinked file */

/* Replies. */
#define HTTP_REPLY_HEADERS_MAX 8u      /* beside those the writer adds itself */
#define HTTP_REPLY_HEAD_SIZE_MAX 2048u /* status line and fields */
#define HTTP_ETAG_SIZE_MAX 80u         /* quotes and a hex SHA-256 need 66 */
#define HTTP_WRITE_SIZE_MAX 32768u     /* per wake-up and connection (architecture.md) */
#define HTTP_NOTSENT_LOWAT 16384 /* unsent bytes a socket may hold (architecture.md) */

/* Routing and threads. */
#define HTTP_ROUTES_MAX 128u
#define HTTP_LISTENERS_MAX 4u
#define HTTP_THREADS_MAX 64u
#define HTTP_ACCEPTS_MAX 64u /* per wake-up, so that a flood does not starve replies */
#define HTTP_ARENA_SIZE_MAX                                                                \
    1048576u              /* of one request; a list page of 500 rows is < 300 KB */
#define HTTP_POOL_MAX 64u /* exchanges kept for reuse per thread */

#endif
