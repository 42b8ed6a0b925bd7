/* http_exchange.c - see http_exchange.h. */
#include "server/http/http_exchange.h"
#include <assert.h>
#include <unistd.h>
#include "server/base/mem.h"

/* A new slot at the end of the table. */
static struct http_exchange *grow(struct http_thread *thread)
{
    if (thread->slot_count == thread->slot_max) { return NULL; }
    struct http_exchange *exchange = mem_alloc(sizeof *exchange);
    if (!exchange) { return NULL; }
    exchange->slot = thread->slot_count++;
    exchange->thread = thread;
    thread->slots[exchange->slot] = exchange;
    arena_init(&exchange->arena, HTTP_ARENA_SIZE_MAX);
    return exchange;
}

/* A slot whose exchange was freed to save memory is used again before the table grows. */
static struct http_exchange *take_free(struct http_thread *thread)
{
    struct http_exchange *exchange = thread->first_free;
    if (!exchange) { return grow(thread); }
    thread->first_free = exchange->next_free;
    thread->free_count--;
    return exchange;
}

struct http_exchange *http_exchange_take(struct http_thread *thread, struct http_conn *conn)
{
    struct http_exchange *exchange = take_free(thread);
    if (!exchange) { return NULL; }
    exchange->state = HTTP_EXCHANGE_ACTIVE;
    exchange->generation++;
    exchange->conn = conn;
    exchange->next_free = NULL;
    exchange->request = (struct http_request){.body_fd = -1, .arena = &exchange->arena};
    http_reply_init(&exchange->reply);
    buffer_init(&exchange->body, HTTP_BODY_MEMORY_MAX);
    exchange->spool_fd = -1;
    exchange->body_received = exchange->body_at_arming = 0;
    exchange->keep_alive = exchange->may_continue = false;
    exchange->sent = 0;
    http_parser_init(&exchange->parser);
    return exchange;
}

void http_exchange_give(struct http_exchange *exchange)
{
    assert(exchange->state == HTTP_EXCHANGE_ACTIVE);
    struct http_thread *thread = exchange->thread;
    http_reply_reset(&exchange->reply);
    buffer_release(&exchange->body);
    if (exchange->spool_fd >= 0) { close(exchange->spool_fd); }
    exchange->spool_fd = -1;
    if (thread->free_count < HTTP_POOL_MAX) {
        arena_clear(&exchange->arena);
    } else {
        arena_release(&exchange->arena); /* after a rush: the slot stays, its memory goes */
    }
    exchange->state = HTTP_EXCHANGE_FREE;
    exchange->conn = NULL;
    exchange->next_free = thread->first_free;
    thread->first_free = exchange;
    thread->free_count++;
}

struct http_exchange *http_exchange_find(struct http_thread *thread,
                                         struct http_handle handle)
{
    if (handle.slot >= thread->slot_count) { return NULL; }
    struct http_exchange *exchange = thread->slots[handle.slot];
    bool is_it = exchange->state == HTTP_EXCHANGE_WAITING &&
                 exchange->generation == handle.generation;
    return is_it ? exchange : NULL;
}

struct http_handle http_exchange_handle(const struct http_exchange *exchange)
{
    return (struct http_handle){.thread = exchange->thread->index,
                                .slot = exchange->slot,
                                .generation = exchange->generation};
}

void http_exchange_free_all(struct http_thread *thread)
{
    for (uint32_t i = 0; i < thread->slot_count; i++) {
        struct http_exchange *exchange = thread->slots[i];
        if (exchange->state == HTTP_EXCHANGE_WAITING) { continue; }
        if (exchange->state == HTTP_EXCHANGE_ACTIVE) { http_exchange_give(exchange); }
        arena_release(&exchange->arena);
        mem_free(exchange);
    }
    mem_free(thread->slots);
    thread->slots = NULL;
}
