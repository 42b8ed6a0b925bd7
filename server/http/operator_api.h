/* operator_api.h - /api/v1 and /metrics: what people, the CLI and Prometheus call.
 *
 * Layer    server/http. Format: docs/spec/operator-api.md.
 * Use it   operator_routes and operator_admit() make one http_listener.
 */
#ifndef MOULT_SERVER_HTTP_OPERATOR_API_H
#define MOULT_SERVER_HTTP_OPERATOR_API_H

#include <jansson.h>
#include "server/http/env.h"
#include "server/http/http_server.h"

extern const struct http_routes operator_routes;

/* 401 without a valid token, 403 when none of the route's roles is the token's. Leaves a
 * struct control_token as request->principal. */
bool operator_admit(const struct env *env, struct http_request *request,
                    struct http_reply *reply);

/* What one call of control is made of. */
struct operator_call {
    struct control_call control;
    struct control_problem problem;
};

/* Fills in *call from the request. `known`: query keys this endpoint takes, NULL-ended;
 * dry_run, limit and cursor need not be named. False: the reply is set. */
bool operator_call_begin(struct http_request *request, const struct env *env,
                         const char *const *known, struct operator_call *call,
                         struct http_reply *reply);

/* limit and cursor of a list. False: the reply is set. */
bool operator_page(struct http_request *request, struct control_page *page,
                   struct http_reply *reply);

/* The body as JSON object, moved; an empty body is an empty object. NULL: the reply is set.
 * */
json_t *operator_body(struct http_request *request, struct http_reply *reply);

/* Answers with object (moved, may be NULL when status is not OK), or with the problem. */
enum moult_status operator_reply(struct http_request *request, struct operator_call *call,
                                 enum moult_status status, json_t *object,
                                 struct http_reply *reply);
/* An object's member "etag" is also its ETag. */
enum moult_status operator_reply_as(struct http_request *request, struct http_reply *reply,
                                    uint16_t http_status, json_t *object /* moved */);
enum moult_status operator_reply_problem(struct http_request *request,
                                         const struct control_problem *problem,
                                         struct http_reply *reply);

/* For handlers that answer later: a job could not be handed over, or its COMMIT was lost.
 * 503. */
void operator_reply_lost(struct http_request *request, struct http_reply *reply,
                         enum moult_status status);

/* handle_devices.c */
enum moult_status handle_device_list(struct http_request *, const struct env *,
                                     struct http_reply *);
enum moult_status handle_device_show(struct http_request *, const struct env *,
                                     struct http_reply *);
enum moult_status handle_device_history(struct http_request *, const struct env *,
                                        struct http_reply *);
enum moult_status handle_device_why(struct http_request *, const struct env *,
                                    struct http_reply *);
enum moult_status handle_device_verb(struct http_request *, const struct env *,
                                     struct http_reply *);
enum moult_status handle_device_actions(struct http_request *, const struct env *,
                                        struct http_reply *);
/* handle_import.c */
enum moult_status handle_device_export(struct http_request *, const struct env *,
                                       struct http_reply *);
enum moult_status handle_device_import(struct http_request *, const struct env *,
                                       struct http_reply *);
/* handle_artifact_put.c */
enum moult_status handle_artifact_put(struct http_request *, const struct env *,
                                      struct http_reply *);
/* handle_releases.c */
enum moult_status handle_release_create(struct http_request *, const struct env *,
                                        struct http_reply *);
enum moult_status handle_release_list(struct http_request *, const struct env *,
                                      struct http_reply *);
enum moult_status handle_release_show(struct http_request *, const struct env *,
                                      struct http_reply *);
enum moult_status handle_release_envelope(struct http_request *, const struct env *,
                                          struct http_reply *);
/* handle_rollouts.c */
enum moult_status handle_rollout_create(struct http_request *, const struct env *,
                                        struct http_reply *);
enum moult_status handle_rollout_list(struct http_request *, const struct env *,
                                      struct http_reply *);
enum moult_status handle_rollout_show(struct http_request *, const struct env *,
                                      struct http_reply *);
enum moult_status handle_rollout_verb(struct http_request *, const struct env *,
                                      struct http_reply *);
enum moult_status handle_rollout_devices(struct http_request *, const struct env *,
                                         struct http_reply *);
/* handle_status.c */
enum moult_status handle_version(struct http_request *, const struct env *,
                                 struct http_reply *);
enum moult_status handle_status(struct http_request *, const struct env *,
                                struct http_reply *);
enum moult_status handle_products(struct http_request *, const struct env *,
                                  struct http_reply *);
enum moult_status handle_events(struct http_request *, const struct env *,
                                struct http_reply *);
enum moult_status handle_audit(struct http_request *, const struct env *,
                               struct http_reply *);
enum moult_status handle_metrics(struct http_request *, const struct env *,
                                 struct http_reply *);

#endif
