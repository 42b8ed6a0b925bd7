/* queue.h - a bounded queue from many threads to one, with an eventfd that wakes the
 * reader.
 *
 * Layer    server/base.
 * Memory   items are copied in and out; the ring is allocated once by queue_init().
 * Threads  push from any; pop, wait and release from the one reader.
 * Use it   the reader has queue_fd() in its epoll set, and on readable calls queue_pop()
 *          until it says NOENT; or it calls queue_wait() when it has nothing else to wait
 *          for.
 */
#ifndef MOULT_SERVER_BASE_QUEUE_H
#define MOULT_SERVER_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

struct queue {
    pthread_mutex_t lock;
    uint8_t *ring; /* owned */
    size_t item_size;
    size_t capacity;
    size_t first; /* index of the oldest item */
    size_t count;
    bool is_closed;
    int event_fd; /* owned; readable while there are items, or the queue is closed */
};

/* Room for `capacity` items of item_size bytes. MOULT_OK; MOULT_E_NOMEM, MOULT_E_IO (no
 * eventfd): queue is then untouched and needs no release. */
MOULT_MUST_CHECK enum moult_status queue_init(struct queue *queue, size_t item_size,
                                              size_t capacity);

/* Copies *item to the end. MOULT_OK; MOULT_E_BUSY: full; MOULT_E_STATE: closed. */
MOULT_MUST_CHECK enum moult_status queue_push(struct queue *queue, const void *item);

/* Copies the oldest item to *item. MOULT_OK; MOULT_E_NOENT: empty (the eventfd is then
 * quiet); MOULT_E_STATE: empty and closed, nothing will ever come. */
MOULT_MUST_CHECK enum moult_status queue_pop(struct queue *queue, void *item);

/* Waits until queue_pop() would not say NOENT, or timeout_ms have passed; -1: no time
 * limit. */
void queue_wait(struct queue *queue, int timeout_ms);

/* No more pushes; what is inside can still be popped. Wakes the reader for good. */
void queue_close(struct queue *queue);

size_t queue_count(struct queue *queue);
int queue_fd(const struct queue *queue);
void queue_release(struct queue *queue);

#endif
