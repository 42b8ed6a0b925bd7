/* signer_client_test.c - every request is answered once, whatever the signer does. The test
 * itself is the signer: it holds the other end of the socket and says what it likes. */
#include "server/base/signer_client.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/base/clock.h"
#include "tests/support/unit.h"

enum {
    WAIT_MS = 20000,  /* for what must come; a busy machine under sanitizers is slow */
    SILENCE_MS = 300, /* the client's patience in tests that need its end */
    ANSWERS_MAX = 6000,
};

/* --- what was answered ------------------------------------------------------------------
 * */

/* context of a request: its number + 1. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;               /* answers so far */
    unsigned order[ANSWERS_MAX];  /* request numbers as they were answered */
    unsigned times[ANSWERS_MAX];  /* by request: how often it was answered */
    uint16_t detail[ANSWERS_MAX]; /* by request */
    char text[ANSWERS_MAX][24];   /* by request: the reply's body */
    unsigned greetings;
    struct signer_hello hello;
} got = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_answer(void *context, uint16_t detail, struct moult_bytes body)
{
    unsigned n = (unsigned)((uintptr_t)context - 1u);
    pthread_mutex_lock(&got.lock);
    got.times[n]++;
    got.detail[n] = detail;
    snprintf(got.text[n], sizeof got.text[n], "%.*s", (int)body.size,
             (const char *)body.data);
    got.order[got.count++] = n;
    pthread_cond_broadcast(&got.changed);
    pthread_mutex_unlock(&got.lock);
}

enum { HANDOVER = 5000 };       /* number of the first request of a handover */
static unsigned handover_count; /* how many requests one is */

static enum moult_status ask(unsigned n);

static void on_connected(void *context, const struct signer_hello *hello)
{
    (void)context; /* not needed */
    for (unsigned i = 0; i < handover_count; i++) {
        if (ask(HANDOVER + i) != MOULT_OK) { abort(); } /* not the test's thread */
    }
    pthread_mutex_lock(&got.lock);
    got.greetings++;
    got.hello = *hello;
    pthread_cond_broadcast(&got.changed);
    pthread_mutex_unlock(&got.lock);
}

/* Waits until *value reaches `wanted`. */
static void wait_for(const unsigned *value, unsigned wanted)
{
    uint64_t until_ms = clock_realtime_ms(clock_system()) + WAIT_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000u)};
    pthread_mutex_lock(&got.lock);
    int rc = 0;
    while (*value < wanted && rc == 0) {
        rc = pthread_cond_timedwait(&got.changed, &got.lock, &until);
    }
    unsigned have = *value;
    pthread_mutex_unlock(&got.lock);
    assert_true(have >= wanted);
}

static unsigned answer_count(void)
{
    pthread_mutex_lock(&got.lock);
    unsigned count = got.count;
    pthread_mutex_unlock(&got.lock);
    return count;
}

/* Exactly these requests, exactly once, with this code. */
static void check_answers(unsigned first, unsigned count, uint16_t detail)
{
    for (unsigned i = first; i < first + count; i++) {
        pthread_mutex_lock(&got.lock);
        unsigned times = got.times[i], found = got.detail[i];
        pthread_mutex_unlock(&got.lock); /* a failed claim jumps out of the test */
        assert_int_equal(times, 1);
        assert_int_equal(found, detail);
    }
}

/* --- the other end -------------------------------------------------------------------- */

static char path[80];
static int listen_fd = -1, peer = -1;
static struct signer_client *client;

static struct sockaddr_un address(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

static void signer_listens(int backlog)
{
    struct sockaddr_un a = address();
    unlink(path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listen_fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listen_fd, backlog), 0);
}

static bool readable(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, wait_ms) == 1;
}

static void signer_accepts(void)
{
    assert_true(readable(listen_fd, WAIT_MS));
    peer = accept(listen_fd, NULL, NULL);
    assert_true(peer >= 0);
}

static void read_all(void *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        assert_true(readable(peer, WAIT_MS));
        ssize_t n = read(peer, (char *)out + at, size - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

struct frame {
    uint32_t id;
    uint8_t operation;
    size_t size;
    uint8_t body[SIGNER_FRAME_MAX];
};

static void read_frame(struct frame *frame)
{
    uint8_t head[SIGNER_FRAME_HEAD + SIGNER_BODY_OFFSET];
    read_all(head, sizeof head);
    frame->id = get_be32(head + 4);
    frame->operation = head[8];
    frame->size = get_be32(head) - SIGNER_BODY_OFFSET;
    assert_true(frame->size <= SIGNER_FRAME_MAX - SIGNER_BODY_OFFSET);
    read_all(frame->body, frame->size);
}

static void write_all(const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = send(peer, (const char *)data + at, size - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

static void reply(uint32_t id, uint16_t detail, const void *body, size_t size)
{
    uint8_t frame[SIGNER_FRAME_HEAD + SIGNER_FRAME_MAX];
    put_be32(frame, (uint32_t)(SIGNER_REPLY_OFFSET + size));
    put_be32(frame + 4, id);
    put_be16(frame + 8, detail);
    memcpy(frame + 10, body, size);
    write_all(frame, SIGNER_FRAME_HEAD + SIGNER_REPLY_OFFSET + size);
}

static void reply_hello(uint32_t id)
{
    uint8_t body[SIGNER_HELLO_SIZE];
    put_be16(body, SIGNER_PROTOCOL_VERSION);
    memset(body + 2, 0xf1, 16);
    memset(body + 18, 0x4b, 8);
    put_be32(body + 26, 3);
    put_be64(body + 30, 77);
    reply(id, 0, body, sizeof body);
}

static void expect_hello(void)
{
    struct frame frame;
    read_frame(&frame);
    assert_int_equal(frame.id, 1);
    assert_int_equal(frame.operation, SIGNER_HELLO);
    assert_int_equal(frame.size, 2);
    assert_int_equal(get_be16(frame.body), SIGNER_PROTOCOL_VERSION);
}

static void signer_greets(void)
{
    signer_accepts();
    expect_hello();
    reply_hello(1);
}

static void signer_dies(void)
{
    if (peer >= 0) { close(peer); }
    if (listen_fd >= 0) { close(listen_fd); }
    unlink(path);
    peer = listen_fd = -1;
}

/* --- a test's life -------------------------------------------------------------------- */

static void client_starts(unsigned answer_ms)
{
    struct signer_client_options options = {
        .socket_path = path, .answer_ms = answer_ms, .connected = on_connected};
    assert_int_equal(signer_client_start(&options, &client), MOULT_OK);
}

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    snprintf(path, sizeof path, "/tmp/moult-signer-test-%d.sock", (int)getpid());
    got.count = got.greetings = handover_count = 0;
    memset(got.times, 0, sizeof got.times);
    client = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signer_client_stop(client);
    signer_dies();
    return 0;
}

static enum moult_status ask(unsigned n)
{
    char body[24];
    int size = snprintf(body, sizeof body, "request %u", n);
    return signer_client_ask(client, SIGNER_SIGN,
                             (struct moult_bytes){(const uint8_t *)body, (size_t)size},
                             on_answer, (void *)(uintptr_t)(n + 1u));
}

static void ask_many(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        assert_int_equal(ask(i), MOULT_OK);
    }
}

static void client_meets_signer(unsigned answer_ms)
{
    signer_listens(8);
    client_starts(answer_ms);
    signer_greets();
    wait_for(&got.greetings, 1);
}

/* --- tests ---------------------------------------------------------------------------- */

static void test_without_a_signer_requests_are_answered_at_once(void **state)
{
    (void)state;
    client_starts(0);
    ask_many(0, 100);
    wait_for(&got.count, 100);
    check_answers(0, 100, MOULT_D_API_SIGNER);
    assert_false(signer_client_is_connected(client));
}

static void test_the_hello_is_told_and_requests_follow_it(void **state)
{
    (void)state;
    client_meets_signer(0);
    assert_int_equal(got.hello.keyset_version, 3);
    assert_int_equal(got.hello.counter_bound, 77);
    assert_int_equal(got.hello.fleet_id[15], 0xf1);
    assert_int_equal(got.hello.kid[7], 0x4b);
    ask_many(0, 1);
    struct frame frame;
    read_frame(&frame);
    assert_true(signer_client_is_connected(client));
    assert_int_equal(frame.id, 2);
    assert_int_equal(frame.operation, SIGNER_SIGN);
    assert_int_equal(frame.size, 9);
    assert_memory_equal(frame.body, "request 0", 9);
    reply(frame.id, 0, "signed 0", 8);
    wait_for(&got.count, 1);
    check_answers(0, 1, 0);
    assert_string_equal(got.text[0], "signed 0");
}

static void expect_requests(unsigned first, unsigned count)
{
    struct frame frame;
    for (unsigned i = first; i < first + count; i++) {
        char want[24];
        read_frame(&frame);
        int size = snprintf(want, sizeof want, "request %u", i);
        assert_int_equal(frame.size, size);
        assert_memory_equal(frame.body, want, frame.size);
        reply(frame.id, 0, "ok", 2);
    }
}

/* Orders asked between connect and hello would be refused by a signer that has not got the
 * releases yet. */
static void test_the_handover_goes_before_what_waits_already(void **state)
{
    (void)state;
    enum { COUNT = 40, MANY = SIGNER_CLIENT_WINDOW + 30 };
    handover_count = MANY; /* more than one window */
    signer_listens(8);
    client_starts(0);
    signer_accepts();
    expect_hello();
    ask_many(0, COUNT);
    reply_hello(1);
    expect_requests(HANDOVER, MANY);
    expect_requests(0, COUNT);
    wait_for(&got.count, MANY + COUNT);
    check_answers(HANDOVER, MANY, 0);
    check_answers(0, COUNT, 0);
}

static void test_a_handover_that_is_cut_off_is_answered_once(void **state)
{
    (void)state;
    enum { COUNT = 10, MANY = SIGNER_CLIENT_WINDOW + 30 };
    handover_count = MANY;
    signer_listens(8);
    client_starts(0);
    signer_accepts();
    expect_hello();
    ask_many(0, COUNT);
    reply_hello(1);
    expect_requests(HANDOVER, 3);
    wait_for(&got.count, 3);
    signer_dies();
    wait_for(&got.count, MANY + COUNT);
    check_answers(HANDOVER, 3, 0);
    check_answers(HANDOVER + 3, MANY - 3, MOULT_D_API_SIGNER);
    check_answers(0, COUNT, MOULT_D_API_SIGNER);
}

static void test_many_requests_are_under_way_and_answers_keep_their_order(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct frame frame;
    client_meets_signer(0);
    ask_many(0, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char want[24], answer[24];
        read_frame(&frame);
        int size = snprintf(want, sizeof want, "request %u", i);
        assert_int_equal(frame.size, size);
        assert_memory_equal(frame.body, want, frame.size);
        size = snprintf(answer, sizeof answer, "signed %u", i);
        reply(frame.id, i % 7 == 0 ? MOULT_D_SIGN_RATE : 0, answer, (size_t)size);
    }
    wait_for(&got.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char want[24];
        snprintf(want, sizeof want, "signed %u", i);
        assert_int_equal(got.order[i], i);
        assert_string_equal(got.text[i], want);
        check_answers(i, 1, i % 7 == 0 ? MOULT_D_SIGN_RATE : 0);
    }
}

static void test_at_most_the_window_is_sent_ahead(void **state)
{
    (void)state;
    static struct frame frame;
    client_meets_signer(0);
    ask_many(0, SIGNER_CLIENT_WINDOW + 10);
    for (unsigned i = 0; i < SIGNER_CLIENT_WINDOW; i++) {
        read_frame(&frame);
    }
    assert_false(readable(peer, 200));
    reply(2, 0, "x", 1); /* one answer, one more request */
    read_frame(&frame);
    assert_false(readable(peer, 200));
    assert_int_equal(frame.id, SIGNER_CLIENT_WINDOW + 2);
}

static void test_answers_in_small_pieces_are_put_together(void **state)
{
    (void)state;
    client_meets_signer(0);
    ask_many(0, 2);
    struct frame frame;
    read_frame(&frame);
    read_frame(&frame);
    uint8_t frames[] = {0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 'a',
                        0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 'b'};
    for (size_t i = 0; i < sizeof frames; i++) {
        write_all(frames + i, 1);
        poll(NULL, 0, 1);
    }
    wait_for(&got.count, 2);
    assert_string_equal(got.text[0], "a");
    assert_string_equal(got.text[1], "b");
}

static void test_a_signer_that_dies_answers_everything_once_and_is_found_again(void **state)
{
    (void)state;
    enum { COUNT = 200, ANSWERED = 20 };
    static struct frame frame;
    client_meets_signer(0);
    ask_many(0, COUNT);
    for (unsigned i = 0; i < ANSWERED; i++) {
        read_frame(&frame);
        reply(frame.id, 0, "ok", 2);
    }
    wait_for(&got.count, ANSWERED);
    signer_dies();
    wait_for(&got.count, COUNT);
    check_answers(0, ANSWERED, 0);
    check_answers(ANSWERED, COUNT - ANSWERED, MOULT_D_API_SIGNER);
    assert_false(signer_client_is_connected(client));

    signer_listens(8);
    signer_greets(); /* ids count from 1 again */
    wait_for(&got.greetings, 2);
    ask_many(COUNT, 1);
    read_frame(&frame);
    assert_int_equal(frame.id, 2);
    reply(frame.id, 0, "again", 5);
    wait_for(&got.count, COUNT + 1);
    check_answers(COUNT, 1, 0);
    check_answers(0, ANSWERED, 0);
    check_answers(ANSWERED, COUNT - ANSWERED, MOULT_D_API_SIGNER);
}

/* Frames that end the connection, sent in answer to one request (id 2). */
static const struct {
    const char *name;
    uint8_t bytes[16];
    size_t size;
} nonsense[] = {
    {"another id", {0, 0, 0, 6, 0, 0, 0, 3, 0, 0}, 10},
    {"the same id as before", {0, 0, 0, 6, 0, 0, 0, 1, 0, 0}, 10},
    {"too short for a reply", {0, 0, 0, 5, 0, 0, 0, 2, 0}, 9},
    {"no size", {0, 0, 0, 0}, 4},
    {"one byte over the limit", {0, 0, 0x20, 1}, 4},
    {"a size of 4 GB", {0xff, 0xff, 0xff, 0xff}, 4},
};

static void test_a_malformed_frame_ends_the_connection(void **state)
{
    (void)state;
    struct frame frame;
    client_meets_signer(0);
    for (unsigned i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        ask_many(i, 1);
        read_frame(&frame);
        uint64_t began_ms = clock_monotonic_ms(clock_system());
        write_all(nonsense[i].bytes, nonsense[i].size);
        wait_for(&got.count, i + 1);
        if (clock_monotonic_ms(clock_system()) - began_ms > SIGNER_CLIENT_ANSWER_MS / 2) {
            fail_msg("%s: it was the silence that ended it", nonsense[i].name);
        }
        if (got.detail[i] != MOULT_D_API_SIGNER) { fail_msg("%s", nonsense[i].name); }
        assert_true(readable(peer, WAIT_MS)); /* closed */
        assert_int_equal(read(peer, &frame, 1), 0);
        close(peer);
        signer_greets();
        wait_for(&got.greetings, i + 2);
    }
    check_answers(0, sizeof nonsense / sizeof nonsense[0], MOULT_D_API_SIGNER);
}

static void test_an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    client_meets_signer(0);
    reply(2, 0, "surprise", 8);
    uint8_t byte;
    assert_true(readable(peer, WAIT_MS));
    assert_int_equal(read(peer, &byte, 1), 0);
    assert_int_equal(answer_count(), 0);
}

static void test_a_refused_or_strange_hello_is_no_connection(void **state)
{
    (void)state;
    signer_listens(8);
    client_starts(0);
    for (int i = 0; i < 2; i++) {
        signer_accepts();
        expect_hello();
        if (i == 0) {
            reply(1, MOULT_D_SIGN_PROTOCOL, "expected protocol version 2", 27);
        } else {
            reply(1, 0, "short", 5);
        }
        uint8_t byte;
        assert_true(readable(peer, WAIT_MS));
        assert_int_equal(read(peer, &byte, 1), 0);
        close(peer);
        assert_false(signer_client_is_connected(client));
    }
    assert_int_equal(got.greetings, 0);
    ask_many(0, 1);
    wait_for(&got.count, 1);
    check_answers(0, 1, MOULT_D_API_SIGNER);
}

/* A signer that closes at once (it serves another user) must not be called in a tight loop.
 * */
static void test_attempts_are_paced_when_the_signer_closes_at_once(void **state)
{
    (void)state;
    signer_listens(64);
    client_starts(0);
    unsigned attempts = 0;
    uint64_t until_ms = clock_monotonic_ms(clock_system()) + 1000u;
    while (clock_monotonic_ms(clock_system()) < until_ms) {
        if (!readable(listen_fd, 50)) { continue; }
        peer = accept(listen_fd, NULL, NULL);
        close(peer);
        peer = -1;
        attempts++;
    }
    assert_in_range(attempts, 2, 6);
}

static void test_a_silent_signer_is_given_up_although_requests_keep_coming(void **state)
{
    (void)state;
    struct frame frame;
    client_meets_signer(SILENCE_MS);
    ask_many(0, 1);
    read_frame(&frame);
    uint64_t began_ms = clock_monotonic_ms(clock_system());
    unsigned asked = 1;
    while (answer_count() == 0) { /* each of these must not start the patience anew */
        assert_true(asked < SIGNER_CLIENT_WINDOW - 2);
        ask_many(asked++, 1);
        poll(NULL, 0, SILENCE_MS / 10);
    }
    wait_for(&got.count, asked);
    check_answers(0, asked, MOULT_D_API_SIGNER);
    assert_true(clock_monotonic_ms(clock_system()) - began_ms >= SILENCE_MS - 1);
}

static void test_time_without_requests_is_no_silence(void **state)
{
    (void)state;
    struct frame frame;
    client_meets_signer(SILENCE_MS);
    poll(NULL, 0, 3 * SILENCE_MS);
    ask_many(0, 1);
    read_frame(&frame); /* on the same connection */
    assert_int_equal(frame.id, 2);
    reply(frame.id, 0, "ok", 2);
    wait_for(&got.count, 1);
    check_answers(0, 1, 0);
    assert_int_equal(got.greetings, 1);
}

static void test_a_full_queue_says_busy_and_is_answered_when_the_signer_hangs(void **state)
{
    (void)state;
    static struct frame frame;
    client_meets_signer(2000);
    ask_many(0, SIGNER_CLIENT_WINDOW);
    for (unsigned i = 0; i < SIGNER_CLIENT_WINDOW; i++) { /* from here on the queue fills */
        read_frame(&frame);
    }
    ask_many(SIGNER_CLIENT_WINDOW, SIGNER_CLIENT_QUEUE_MAX);
    unsigned all = SIGNER_CLIENT_WINDOW + SIGNER_CLIENT_QUEUE_MAX;
    assert_int_equal(ask(all), MOULT_E_BUSY);
    wait_for(&got.count, all);
    check_answers(0, all, MOULT_D_API_SIGNER);
    assert_int_equal(got.times[all], 0);
}

/* A stopped process: the kernel accepts connections for it until its backlog is full. */
static void test_a_signer_that_hangs_before_the_hello_is_no_signer(void **state)
{
    (void)state;
    signer_listens(8);
    client_starts(SILENCE_MS);
    signer_accepts(); /* and says nothing */
    ask_many(0, 50);
    wait_for(&got.count, 50);
    check_answers(0, 50, MOULT_D_API_SIGNER);
}

static void test_a_full_backlog_does_not_stop_the_client(void **state)
{
    (void)state;
    int filler[3];
    struct sockaddr_un a = address();
    signer_listens(0);
    for (int i = 0; i < 3; i++) {
        filler[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (const struct sockaddr *)&a,
                      sizeof a); /* until it is full */
    }
    client_starts(0);
    ask_many(0, 10);
    wait_for(&got.count, 10);
    check_answers(0, 10, MOULT_D_API_SIGNER);
    for (int i = 0; i < 3; i++) {
        close(filler[i]);
    }
}

static void test_stop_answers_what_waits_and_does_not_wait_itself(void **state)
{
    (void)state;
    static struct frame frame;
    enum { COUNT = SIGNER_CLIENT_WINDOW + 100 };
    client_meets_signer(0);
    ask_many(0, COUNT);
    for (unsigned i = 0; i < SIGNER_CLIENT_WINDOW; i++) {
        read_frame(&frame);
    }
    uint64_t began_ms = clock_monotonic_ms(clock_system());
    signer_client_stop(client);
    client = NULL;
    assert_true(clock_monotonic_ms(clock_system()) - began_ms <
                SIGNER_CLIENT_ANSWER_MS / 2);
    assert_int_equal(got.count, COUNT);
    check_answers(0, COUNT, MOULT_D_API_SIGNER);
}

static void test_stop_does_not_wait_for_a_hello(void **state)
{
    (void)state;
    signer_listens(8);
    client_starts(0);
    signer_accepts();
    ask_many(0, 3);
    uint64_t began_ms = clock_monotonic_ms(clock_system());
    signer_client_stop(client);
    client = NULL;
    assert_true(clock_monotonic_ms(clock_system()) - began_ms <
                SIGNER_CLIENT_ANSWER_MS / 2);
    check_answers(0, 3, MOULT_D_API_SIGNER);
}

static void test_what_is_too_large_or_too_long_is_refused(void **state)
{
    (void)state;
    static uint8_t body[SIGNER_FRAME_MAX];
    struct signer_client_options options = {.socket_path = path};
    client_meets_signer(0);
    size_t most = SIGNER_FRAME_MAX - SIGNER_BODY_OFFSET;
    assert_int_equal(signer_client_ask(client, SIGNER_KEYSET,
                                       (struct moult_bytes){body, most + 1}, on_answer,
                                       (void *)1),
                     MOULT_E_RANGE);
    assert_int_equal(signer_client_ask(client, SIGNER_KEYSET,
                                       (struct moult_bytes){body, most}, on_answer,
                                       (void *)1),
                     MOULT_OK);
    static struct frame frame;
    read_frame(&frame);
    assert_int_equal(frame.size, most);

    struct signer_client *other = NULL;
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    options.socket_path = long_path;
    assert_int_equal(signer_client_start(&options, &other), MOULT_E_RANGE);
    assert_null(other);
}

/* --- the call that waits -------------------------------------------------------------- */

struct caller {
    enum moult_status status;
    struct signer_answer answer;
};

static void *call(void *context)
{
    struct caller *caller = context;
    caller->status =
        signer_client_call(client, SIGNER_STATUS,
                           (struct moult_bytes){(const uint8_t *)"?", 1}, &caller->answer);
    return NULL;
}

static void test_a_call_waits_for_its_answer(void **state)
{
    (void)state;
    static struct caller callers[4];
    static struct frame frame;
    pthread_t threads[4];
    client_meets_signer(0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        read_frame(&frame);
        assert_int_equal(frame.operation, SIGNER_STATUS);
        reply(frame.id, 0, "fine", 4);
    }
    read_frame(&frame);
    reply(frame.id, MOULT_D_SIGN_RATE, "too fast", 8);
    unsigned fine = 0, fast = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        const struct signer_answer *answer = &callers[i].answer;
        assert_int_equal(callers[i].status, MOULT_OK);
        fine += answer->detail == 0 && answer->size == 4 &&
                memcmp(answer->body, "fine", 4) == 0;
        fast += answer->detail == MOULT_D_SIGN_RATE && answer->size == 8;
    }
    assert_int_equal(fine, 3);
    assert_int_equal(fast, 1);
}

static void test_a_call_ends_when_the_signer_does(void **state)
{
    (void)state;
    static struct caller caller;
    static struct frame frame;
    pthread_t thread;
    client_meets_signer(0);
    assert_int_equal(pthread_create(&thread, NULL, call, &caller), 0);
    read_frame(&frame);
    signer_dies();
    pthread_join(thread, NULL);
    assert_int_equal(caller.status, MOULT_OK);
    assert_int_equal(caller.answer.detail, MOULT_D_API_SIGNER);
}

/* --- from many threads, with a signer that comes and goes
 * ---------------------------------- */

enum { THREADS = 4, EACH = 500 };
static _Atomic bool is_over;

static void *serve(void *context)
{
    (void)context;
    static uint8_t frame[SIGNER_FRAME_HEAD + SIGNER_FRAME_MAX];
    unsigned served = 0;
    while (!atomic_load(&is_over)) {
        if (peer < 0) {
            if (readable(listen_fd, 10)) { peer = accept(listen_fd, NULL, NULL); }
            continue;
        }
        if (!readable(peer, 10)) { continue; }
        ssize_t n = recv(peer, frame, 9, MSG_WAITALL);
        if (n == 9) { n = recv(peer, frame + 9, get_be32(frame) - 5u, MSG_WAITALL); }
        if (n < 0 || ++served % 97 == 0) { /* dies every now and then */
            close(peer);
            peer = -1;
            continue;
        }
        uint32_t id = get_be32(frame + 4);
        if (frame[8] == SIGNER_HELLO) {
            reply_hello(id);
        } else {
            reply(id, 0, "ok", 2);
        }
    }
    return NULL;
}

static void *ask_from_thread(void *context)
{
    unsigned first = (unsigned)(uintptr_t)context;
    for (unsigned i = 0; i < EACH; i++) {
        while (ask(first + i) != MOULT_OK) {
            poll(NULL, 0, 1);
        }
        if (i % 8 == 0) { poll(NULL, 0, 2); }
    }
    return NULL;
}

static void test_threads_and_deaths_lose_and_double_nothing(void **state)
{
    (void)state;
    pthread_t server, threads[THREADS];
    signer_listens(8);
    client_starts(0);
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, ask_from_thread, (void *)(i * EACH)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_for(&got.count, THREADS * EACH);
    atomic_store(&is_over, true);
    pthread_join(server, NULL);
    unsigned served = 0, refused = 0;
    for (unsigned i = 0; i < THREADS * EACH; i++) {
        assert_int_equal(got.times[i], 1);
        served += got.detail[i] == 0;
        refused += got.detail[i] == MOULT_D_API_SIGNER;
    }
    assert_int_equal(served + refused, THREADS * EACH);
    assert_true(served > 0 && refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_signer_requests_are_answered_at_once),
        TEST(test_the_hello_is_told_and_requests_follow_it),
        TEST(test_the_handover_goes_before_what_waits_already),
        TEST(test_a_handover_that_is_cut_off_is_answered_once),
        TEST(test_many_requests_are_under_way_and_answers_keep_their_order),
        TEST(test_at_most_the_window_is_sent_ahead),
        TEST(test_answers_in_small_pieces_are_put_together),
        TEST(test_a_signer_that_dies_answers_everything_once_and_is_found_again),
        TEST(test_a_malformed_frame_ends_the_connection),
        TEST(test_an_answer_that_nobody_asked_for_ends_the_connection),
        TEST(test_a_refused_or_strange_hello_is_no_connection),
        TEST(test_attempts_are_paced_when_the_signer_closes_at_once),
        TEST(test_a_silent_signer_is_given_up_although_requests_keep_coming),
        TEST(test_time_without_requests_is_no_silence),
        TEST(test_a_full_queue_says_busy_and_is_answered_when_the_signer_hangs),
        TEST(test_a_signer_that_hangs_before_the_hello_is_no_signer),
        TEST(test_a_full_backlog_does_not_stop_the_client),
        TEST(test_stop_answers_what_waits_and_does_not_wait_itself),
        TEST(test_stop_does_not_wait_for_a_hello),
        TEST(test_what_is_too_large_or_too_long_is_refused),
        TEST(test_a_call_waits_for_its_answer),
        TEST(test_a_call_ends_when_the_signer_does),
        TEST(test_threads_and_deaths_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
