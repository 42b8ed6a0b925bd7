/* problem.c - see problem.h. */
#include "server/control/problem.h"
#include <stdio.h>

enum moult_status problem_set(struct control_problem *problem, enum moult_detail detail,
                              const char *want, const char *have)
{
    const struct moult_code_info *info = moult_detail_info((uint16_t)detail);
    *problem = (struct control_problem){.detail = (uint16_t)detail};
    if (!info) { return MOULT_E_INTERNAL; }
    moult_code_words(info, want, have, problem->text, sizeof problem->text);
    snprintf(problem->hint, sizeof problem->hint, "%s", info->next); /* fits: one command */
    return info->status;
}

enum moult_status problem_field(struct control_problem *problem, enum moult_detail detail,
                                const char *field, const char *want, const char *have)
{
    enum moult_status st = problem_set(problem, detail, want, have);
    snprintf(problem->field, sizeof problem->field, "%s", field);
    return st;
}

void problem_hint(struct control_problem *problem, const char *hint)
{
    snprintf(problem->hint, sizeof problem->hint, "%s", hint);
}

enum moult_status problem_store(const struct control_call *call, enum moult_status status)
{
    if (status == MOULT_OK || call->problem->detail != 0) { return status; }
    const char *words = store_db_failure(call->db);
    switch (status) {
    case MOULT_E_NOMEM:
        problem_set(call->problem, MOULT_D_API_INTERNAL, NULL, "no memory");
        break;
    case MOULT_E_SPACE:
        problem_set(call->problem, MOULT_D_STORE_FULL, "some", "none");
        break;
    case MOULT_E_FORMAT:
        problem_set(call->problem, MOULT_D_STORE_CORRUPT, NULL, words);
        break;
    default:
        problem_set(call->problem, MOULT_D_STORE_WRITE, NULL, words);
        break;
    }
    return status;
}
