/* queue.c - see queue.h. A ring under a lock: items are small and the lock is held for one
 * memcpy, so a lock-free ring would only save what the eventfd costs many times over. */
#include "server/base/queue.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "server/base/mem.h"

enum moult_status queue_init(struct queue *queue, size_t item_size, size_t capacity)
{
    assert(item_size > 0 && capacity > 0);
    enum moult_status st = MOULT_E_NOMEM;
    uint8_t *ring = mem_alloc_array(capacity, item_size);
    if (!ring) { goto out; }

    st = MOULT_E_IO;
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0) { goto out_ring; }
    if (pthread_mutex_init(&queue->lock, NULL) != 0) { goto out_event; }

    queue->ring = ring;
    queue->item_size = item_size;
    queue->capacity = capacity;
    queue->first = queue->count = 0;
    queue->is_closed = false;
    queue->event_fd = event_fd;
    return MOULT_OK;
out_event:
    close(event_fd);
out_ring:
    mem_free(ring);
out:
    return st;
}

static void raise_event(struct queue *queue)
{
    uint64_t one = 1;
    ssize_t rc;
    do {
        rc = write(queue->event_fd, &one, sizeof one);
    } while (rc < 0 && errno == EINTR);
    assert(rc == sizeof one || errno == EAGAIN); /* EAGAIN: raised 2^64 - 2 times already */
}

static void lower_event(struct queue *queue)
{
    uint64_t count;
    ssize_t rc;
    do {
        rc = read(queue->event_fd, &count, sizeof count);
    } while (rc < 0 && errno == EINTR);
}

enum moult_status queue_push(struct queue *queue, const void *item)
{
    enum moult_status st = MOULT_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->is_closed) {
        st = MOULT_E_STATE;
    } else if (queue->count == queue->capacity) {
        st = MOULT_E_BUSY;
    } else {
        size_t index = (queue->first + queue->count) % queue->capacity;
        memcpy(queue->ring + index * queue->item_size, item, queue->item_size);
        /* Raised inside the lock, so that queue_pop() cannot lower it before it is up. */
        if (queue->count++ == 0) { raise_event(queue); }
    }
    pthread_mutex_unlock(&queue->lock);
    return st;
}

enum moult_status queue_pop(struct queue *queue, void *item)
{
    enum moult_status st = MOULT_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->count == 0) {
        st = queue->is_closed ? MOULT_E_STATE : MOULT_E_NOENT;
    } else {
        memcpy(item, queue->ring + queue->first * queue->item_size, queue->item_size);
        queue->first = (queue->first + 1) % queue->capacity;
        if (--queue->count == 0 && !queue->is_closed) { lower_event(queue); }
    }
    pthread_mutex_unlock(&queue->lock);
    return st;
}

void queue_wait(struct queue *queue, int timeout_ms)
{
    struct pollfd wait = {.fd = queue->event_fd, .events = POLLIN};
    (void)poll(&wait, 1, timeout_ms); /* interrupted or late: the caller pops and sees */
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    raise_event(queue);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_count(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

int queue_fd(const struct queue *queue)
{
    return queue->event_fd;
}

void queue_release(struct queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    close(queue->event_fd);
    mem_free(queue->ring);
    queue->ring = NULL;
}
