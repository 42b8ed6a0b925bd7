/* problem.h - fills in why a call was refused; private to this folder.
 *
 * Layer    server/control.
 */
#ifndef MOULT_SERVER_CONTROL_PROBLEM_H
#define MOULT_SERVER_CONTROL_PROBLEM_H

#include "formats/codes.h"
#include "server/control/control.h"

/* The words of the detail with want and have (either may be NULL), the table's next command
 * as hint. Returns the table's status of the detail, so that a function can `return
 * problem_set(...)`.
 */
enum moult_status problem_set(struct control_problem *problem, enum moult_detail detail,
                              const char *want, const char *have);
/* The same, with the member or parameter it is about. */
enum moult_status problem_field(struct control_problem *problem, enum moult_detail detail,
                                const char *field, const char *want, const char *have);
/* A better hint than the table's. */
void problem_hint(struct control_problem *problem, const char *hint);

/* What a failing store call makes of a request: MOULT_D_STORE_WRITE or the like. status is
 * returned. Problems that are set already are left alone. */
enum moult_status problem_store(const struct control_call *call, enum moult_status status);

#endif
