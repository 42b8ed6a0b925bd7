/* token.c - tokens of the operator API: their text, roles and look-up. See admin.h. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/token.h"
#include "server/base/mem.h"
#include "server/control/audit.h"
#include "server/control/internal.h"
#include "server/store/store_admin.h"

_Static_assert(MOULT_TOKEN_SIZE <= TOKEN_TEXT_SIZE, "a token fits");

bool token_generate(const struct random *random, char out[TOKEN_TEXT_SIZE])
{
    uint8_t secret[MOULT_TOKEN_SECRET_SIZE];
    if (!random_fill(random, secret, sizeof secret)) { return false; }
    moult_token_write(secret, out);
    return true;
}

bool token_is_well_formed(const char *text)
{
    return moult_token_is_well_formed(text);
}

/* --- roles ---------------------------------------------------------------------------- */

static const struct {
    const char *word;
    unsigned bit;
} roles[] = {
    {"viewer", ROLE_VIEWER},     {"operator", ROLE_OPERATOR}, {"releaser", ROLE_RELEASER},
    {"approver", ROLE_APPROVER}, {"auditor", ROLE_AUDITOR},   {"admin", ROLE_ADMIN},
};
enum { ROLES = sizeof roles / sizeof roles[0] };

unsigned role_parse(const char *words)
{
    unsigned result = 0;
    while (*words) {
        size_t size = strcspn(words, ",");
        unsigned bit = 0;
        for (size_t i = 0; i < ROLES; i++) {
            if (strlen(roles[i].word) == size && memcmp(roles[i].word, words, size) == 0) {
                bit = roles[i].bit;
            }
        }
        if (!bit) { return 0; }
        result |= bit;
        words += size;
        if (*words == ',' && *++words == '\0') { return 0; } /* nothing behind it */
    }
    return result;
}

void role_words(unsigned bits, char out[64])
{
    size_t size = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROLES; i++) {
        if (!(bits & roles[i].bit)) { continue; }
        int n = snprintf(out + size, 64 - size, "%s%s", size ? "," : "", roles[i].word);
        size += n > 0 ? (size_t)n : 0;
    }
}

/* --- look-up and change --------------------------------------------------------------- */

enum moult_status control_token_find(struct control *control, const char *text,
                                     int64_t now_ms, struct control_token *out)
{
    uint8_t sha256[32];
    if (!token_is_well_formed(text)) { return MOULT_E_AUTH; }
    if (moult_sha256_once(control->parts.crypto, (const uint8_t *)text, strlen(text),
                          sha256) != MOULT_OK) {
        return MOULT_E_AUTH;
    }
    return token_table_find(&control->tokens, sha256, now_ms, out) ? MOULT_OK
                                                                   : MOULT_E_AUTH;
}

static enum moult_status refuse_token(const struct control_call *call, const char *text)
{
    struct control_problem *problem = call->problem;
    *problem = (struct control_problem){.detail = MOULT_D_CLI_TOKEN};
    snprintf(problem->text, sizeof problem->text, "%s", text);
    return MOULT_E_ARG;
}

static struct token_entry entry_of(const struct store_token *token)
{
    struct token_entry entry = {.token.roles = token->roles,
                                .expires_ms = token->expires_ms};
    snprintf(entry.token.name, sizeof entry.token.name, "%s", token->name);
    memcpy(entry.sha256, token->sha256, 32);
    return entry;
}

static bool load_one(void *context, const struct store_token *token)
{
    struct control *control = context;
    struct token_entry entry = entry_of(token);
    return token_table_set(&control->tokens, &entry);
}

enum moult_status control_tokens_load(struct control *control, struct store_db *db)
{
    return store_token_each(db, load_one, control);
}

/* A token opens nothing before COMMIT: what it did could outlive it otherwise. */
static enum moult_status show_token(struct control *control,
                                    const struct store_token *token)
{
    struct token_entry entry = entry_of(token);
    if (!control->is_live) { /* before the store's threads run there is none to wait for */
        return token_table_set(&control->tokens, &entry) ? MOULT_OK : MOULT_E_SPACE;
    }
    struct effect effect = {.kind = EFFECT_TOKEN, .data = mem_copy(&entry, sizeof entry)};
    if (!effect.data) { return MOULT_E_NOMEM; }
    effects_push(&control->effects, &effect);
    return effects_status(&control->effects);
}

static enum moult_status store_token(const struct control_call *call,
                                     const struct store_token *token)
{
    char words[64];
    role_words(token->roles, words);
    enum moult_status st = store_token_set(call->db, token);
    if (st == MOULT_OK) {
        st = control_audit(call, "token.set", token->name,
                           json_pack("{s:s}", "roles", words));
    }
    return st == MOULT_OK ? show_token(call->control, token) : st;
}

enum moult_status control_token_set(const struct control_call *call, const char *name,
                                    const char *text, unsigned role_bits,
                                    int64_t expires_ms)
{
    if (!token_is_well_formed(text)) {
        return refuse_token(call,
                            "expected moult_ and 49 characters with a right checksum, "
                            "found another text");
    }
    if (role_bits == 0 || strlen(name) == 0 || strlen(name) >= CONTROL_NAME_SIZE) {
        return refuse_token(call, "expected a name of 1 to 64 bytes and at least one role");
    }
    struct store_token token = {.name = name,
                                .roles = role_bits,
                                .created_ms = call->now_ms,
                                .expires_ms = expires_ms};
    uint32_t others = 0;
    enum moult_status st = moult_sha256_once(
        call->control->parts.crypto, (const uint8_t *)text, strlen(text), token.sha256);
    if (st == MOULT_OK) { st = store_token_count_others(call->db, name, &others); }
    if (st == MOULT_OK && others >= TOKENS_MAX) {
        return refuse_token(call, "1,000 tokens are the limit");
    }
    if (st == MOULT_OK) { st = store_token(call, &token); }
    if (st == MOULT_E_EXISTS) {
        return refuse_token(call, "another name has this token already");
    }
    if (st != MOULT_OK) { refuse_token(call, "the store could not keep it"); }
    return st;
}
