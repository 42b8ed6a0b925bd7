/* token_test.c - server/control/token.c and token_table.c: who may call the operator
 * API. */
#include "server/control/token_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

/* --- roles ---------------------------------------------------------------------------- */

static void test_roles_are_read_as_they_are_written(void **state)
{
    (void)state; /* cmocka's signature */
    char words[64];
    for (unsigned bits = 1; bits < 64; bits++) {
        role_words(bits, words);
        assert_int_equal(role_parse(words), bits);
    }
    role_words(63, words);
    assert_string_equal(words, "viewer,operator,releaser,approver,auditor,admin");
    assert_int_equal(role_parse("operator,viewer,operator"), ROLE_OPERATOR | ROLE_VIEWER);
    role_words(0, words);
    assert_string_equal(words, "");
}

static void test_unknown_roles_are_no_roles(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     "root",    "Operator", "operator,",   ",operator", "a,,b",
        "view", "viewers", "viewer ",  "viewer,root", ",",         "viewer;admin"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (role_parse(bad[i]) != 0) { fail_msg("\"%s\" was taken", bad[i]); }
    }
}

/* --- texts ---------------------------------------------------------------------------- */

static bool no_randomness(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 0, size);
    return false;
}

static void test_tokens_are_random_and_well_formed(void **state)
{
    (void)state;
    char one[TOKEN_TEXT_SIZE], two[TOKEN_TEXT_SIZE];
    assert_true(token_generate(random_system(), one));
    assert_true(token_generate(random_system(), two));
    assert_string_not_equal(one, two);
    assert_true(token_is_well_formed(one));
    assert_int_equal(strncmp(one, "moult_", 6), 0);
    one[20] = one[20] == 'x' ? 'y' : 'x'; /* a typing error */
    assert_false(token_is_well_formed(one));
    const struct random broken = {.fill = no_randomness};
    assert_false(token_generate(&broken, one));
}

/* --- look-up -------------------------------------------------------------------------- */

struct set_request {
    const char *name, *text;
    unsigned roles;
    int64_t expires_ms;
};

static enum moult_status set_token(struct world_call *c)
{
    const struct set_request *r = c->argument;
    return control_token_set(&c->call, r->name, r->text, r->roles, r->expires_ms);
}

static enum moult_status set(struct world *w, const char *name, const char *text,
                             unsigned roles, int64_t expires_ms)
{
    struct set_request request = {name, text, roles, expires_ms};
    struct world_call c = {.run = set_token, .argument = &request};
    return world_run(w, &c);
}

/* Roles of the token; 0: none. */
static unsigned roles_of(struct world *w, const char *text)
{
    struct control_token token = {0};
    enum moult_status st = control_token_find(w->control, text, world_now(w), &token);
    assert_int_equal(st, token.roles ? MOULT_OK : MOULT_E_AUTH);
    return token.roles;
}

static void generate(struct world *w, char out[TOKEN_TEXT_SIZE])
{
    assert_true(token_generate(&w->random, out));
}

static void test_a_token_is_known_by_its_text_alone(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char mine[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE];
    struct control_token found;
    generate(w, mine);
    generate(w, other);
    assert_int_equal(roles_of(w, mine), 0);
    assert_int_equal(set(w, "anna", mine, ROLE_OPERATOR | ROLE_RELEASER, 0), MOULT_OK);
    assert_int_equal(control_token_find(w->control, mine, 0, &found), MOULT_OK);
    assert_int_equal(found.roles, ROLE_OPERATOR | ROLE_RELEASER);
    assert_string_equal(found.name, "anna");
    assert_int_equal(roles_of(w, other), 0);
    assert_int_equal(roles_of(w, ""), 0);
    assert_int_equal(roles_of(w, "moult_"), 0);
    mine[strlen(mine) - 1] ^= 1;
    assert_int_equal(roles_of(w, mine), 0);
    world_close(w);
}

static void test_a_token_ends_at_its_time(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char text[TOKEN_TEXT_SIZE];
    generate(w, text);
    assert_int_equal(set(w, "ci", text, ROLE_RELEASER, world_now(w) + 5000), MOULT_OK);
    world_wait(w, 4999);
    assert_int_equal(roles_of(w, text), ROLE_RELEASER);
    world_wait(w, 1);
    assert_int_equal(roles_of(w, text), 0);
    world_close(w);
}

static void test_a_new_text_for_a_name_ends_the_old_one(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char old[TOKEN_TEXT_SIZE], new[TOKEN_TEXT_SIZE];
    generate(w, old);
    generate(w, new);
    assert_int_equal(set(w, "anna", old, ROLE_ADMIN, 0), MOULT_OK);
    assert_int_equal(set(w, "anna", new, ROLE_VIEWER, 0), MOULT_OK);
    assert_int_equal(roles_of(w, old), 0);
    assert_int_equal(roles_of(w, new), ROLE_VIEWER);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM token"), 1);

    world_restart(w, 1000);
    assert_int_equal(roles_of(w, old), 0);
    assert_int_equal(roles_of(w, new), ROLE_VIEWER);
    assert_int_equal(
        world_sql(w, "SELECT count(*) FROM audit WHERE action = 'token.set' AND object = "
                     "'anna' AND detail LIKE '%\"roles\":\"viewer\"%'"),
        1);
    world_close(w);
}

/* Looks the token up inside the job that sets it; then the job is lost. */
static enum moult_status set_and_lose(struct world_call *c)
{
    const struct set_request *r = c->argument;
    enum moult_status st = set_token(c);
    struct control_token found = {0};
    st = st == MOULT_OK &&
                 control_token_find(c->call.control, r->text, 0, &found) == MOULT_E_AUTH
             ? MOULT_E_IO
             : MOULT_E_INTERNAL;
    return st;
}

static void test_a_token_opens_nothing_before_it_is_committed(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char text[TOKEN_TEXT_SIZE];
    generate(w, text);
    struct set_request request = {"anna", text, ROLE_ADMIN, 0};
    struct world_call c = {.run = set_and_lose, .argument = &request};
    assert_int_equal(world_run(w, &c), MOULT_E_IO);
    assert_int_equal(c.status, MOULT_E_IO);
    assert_int_equal(roles_of(w, text), 0);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM token"), 0);
    assert_int_equal(set(w, "anna", text, ROLE_VIEWER, 0), MOULT_OK);
    assert_int_equal(roles_of(w, text), ROLE_VIEWER);
    world_close(w);
}

static void test_a_thousand_tokens_are_the_limit(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char text[TOKEN_TEXT_SIZE];
    generate(w, text);
    assert_int_equal(
        world_sql(w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                     "i < 1000) INSERT INTO token SELECT 't' || i, zeroblob(28) || "
                     "printf('%04d', i), 1, 0, 0 FROM n"),
        -1); /* an INSERT has no row to show */
    assert_int_equal(world_sql(w, "SELECT count(*) FROM token"), 1000);
    assert_int_equal(set(w, "anna", text, ROLE_VIEWER, 0), MOULT_E_ARG);
    assert_non_null(strstr(w->problem.text, "1,000"));
    assert_int_equal(world_sql(w, "SELECT count(*) FROM token"), 1000);
    assert_int_equal(set(w, "t7", text, ROLE_VIEWER, 0), MOULT_OK);
    world_close(w);
}

static void test_what_makes_no_token_is_refused(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char text[TOKEN_TEXT_SIZE], spoiled[TOKEN_TEXT_SIZE], name[CONTROL_NAME_SIZE + 1];
    generate(w, text);
    memcpy(spoiled, text, sizeof spoiled);
    spoiled[10] ^= 1;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct set_request bad[] = {
        {"anna", spoiled, ROLE_VIEWER, 0},
        {"anna", "secret", ROLE_VIEWER, 0},
        {"", text, ROLE_VIEWER, 0},
        {name, text, ROLE_VIEWER, 0},
        {"anna", text, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(set(w, bad[i].name, bad[i].text, bad[i].roles, 0), MOULT_E_ARG);
        assert_int_equal(w->problem.detail, MOULT_D_CLI_TOKEN);
        assert_true(w->problem.text[0] != '\0');
    }
    name[CONTROL_NAME_SIZE - 1] = '\0'; /* 64 bytes are a name */
    assert_int_equal(set(w, name, text, ROLE_VIEWER, 0), MOULT_OK);
    assert_int_equal(set(w, "anna", text, ROLE_ADMIN, 0), MOULT_E_ARG);
    assert_int_equal(roles_of(w, text), ROLE_VIEWER); /* two names, one secret: no */
    world_close(w);
}

/* Whether the bytes are in a file. */
static bool file_contains(const char *folder, const char *name, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    static char data[4 * 1024 * 1024];
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    assert_true(size > 0 && size < sizeof data);
    return memmem(data, size, text, strlen(text)) != NULL;
}

static void test_the_text_is_nowhere_on_the_disk(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    char text[TOKEN_TEXT_SIZE];
    generate(w, text);
    assert_int_equal(set(w, "planted-name", text, ROLE_VIEWER, 0), MOULT_OK);
    assert_true(
        file_contains(w->folder, "moult.db-wal", "planted-name")); /* it would be found */
    assert_false(file_contains(w->folder, "moult.db-wal", text));
    assert_false(file_contains(w->folder, "moult.db-wal", text + 6));
    world_stop(w);
    assert_true(file_contains(w->folder, "moult.db", "planted-name"));
    assert_false(file_contains(w->folder, "moult.db", text + 6));
    world_start(w);
    world_close(w);
}

/* --- the table ------------------------------------------------------------------------ */

static void test_a_full_table_takes_changes_but_no_more_names(void **state)
{
    (void)state;
    struct token_table table;
    struct control_token found;
    assert_int_equal(token_table_init(&table), MOULT_OK);
    struct token_entry entry = {.token.roles = ROLE_VIEWER};
    for (unsigned i = 0; i < TOKENS_MAX; i++) {
        snprintf(entry.token.name, sizeof entry.token.name, "t%u", i);
        entry.sha256[0] = (uint8_t)i;
        entry.sha256[1] = (uint8_t)(i >> 8);
        assert_true(token_table_set(&table, &entry));
    }
    uint8_t last[32], first[32] = {0};
    memcpy(last, entry.sha256, 32);
    snprintf(entry.token.name, sizeof entry.token.name, "one more");
    assert_false(token_table_set(&table, &entry));
    assert_true(token_table_find(&table, last, 1, &found));
    assert_string_equal(found.name, "t999");
    snprintf(entry.token.name, sizeof entry.token.name, "t0");
    entry.sha256[31] = 1;
    assert_true(token_table_set(&table, &entry));
    assert_false(token_table_find(&table, first, 1, &found));
    token_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_are_read_as_they_are_written),
        cmocka_unit_test(test_unknown_roles_are_no_roles),
        cmocka_unit_test(test_tokens_are_random_and_well_formed),
        cmocka_unit_test(test_a_token_is_known_by_its_text_alone),
        cmocka_unit_test(test_a_token_ends_at_its_time),
        cmocka_unit_test(test_a_new_text_for_a_name_ends_the_old_one),
        cmocka_unit_test(test_a_token_opens_nothing_before_it_is_committed),
        cmocka_unit_test(test_a_thousand_tokens_are_the_limit),
        cmocka_unit_test(test_what_makes_no_token_is_refused),
        cmocka_unit_test(test_the_text_is_nowhere_on_the_disk),
        cmocka_unit_test(test_a_full_table_takes_changes_but_no_more_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
