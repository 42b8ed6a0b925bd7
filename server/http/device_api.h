/* device_api.h - /device/v1: what devices call, in CBOR over mutual TLS.
 *
 * Layer    server/http. Format: docs/spec/checkin.md, docs/spec/report.md.
 * Use it   device_routes and device_admit() make one http_listener.
 */
#ifndef MOULT_SERVER_HTTP_DEVICE_API_H
#define MOULT_SERVER_HTTP_DEVICE_API_H

#include "server/http/env.h"
#include "server/http/http_server.h"

/* Scopes of device routes: what a device in which state may call. */
enum { DEVICE_SCOPE_ANY = 0, DEVICE_SCOPE_ACCEPTED = 1 };

extern const struct http_routes device_routes;

/* 401 without a certificate or with a rejected one, 410 retired, 403 where the device is
 * not accepted yet. Leaves a struct control_identity as request->principal. */
bool device_admit(const struct env *env, struct http_request *request,
                  struct http_reply *reply);

/* One file each. */
enum moult_status handle_checkin(struct http_request *request, const struct env *env,
                                 struct http_reply *reply);
enum moult_status handle_report(struct http_request *request, const struct env *env,
                                struct http_reply *reply);
enum moult_status handle_artifact(struct http_request *request, const struct env *env,
                                  struct http_reply *reply);
enum moult_status handle_release_statement(struct http_request *request,
                                           const struct env *env, struct http_reply *reply);
enum moult_status handle_keyset(struct http_request *request, const struct env *env,
                                struct http_reply *reply);
enum moult_status handle_endpoints(struct http_request *request, const struct env *env,
                                   struct http_reply *reply);

#endif
