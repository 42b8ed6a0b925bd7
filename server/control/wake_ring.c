/* wake_ring.c - see wake_ring.h. */
#include "server/control/wake_ring.h"
#include <assert.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "server/base/mem.h"

enum { INDEX_SIZE = 4 * WAKES_MAX, INDEX_USED_MAX = INDEX_SIZE / 2 };
_Static_assert((WAKES_MAX & (WAKES_MAX - 1)) == 0, "positions are masked");

enum moult_status wake_ring_init(struct wake_ring *ring, uint32_t per_s)
{
    assert(per_s >= 1);
    memset(ring, 0, sizeof *ring);
    ring->per_s = per_s;
    ring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring->event_fd < 0) { return MOULT_E_IO; }
    ring->ring = mem_alloc_array(WAKES_MAX, sizeof ring->ring[0]);
    ring->index = mem_alloc_array(INDEX_SIZE, sizeof ring->index[0]);
    if (!ring->ring || !ring->index) {
        mem_free(ring->ring);
        mem_free(ring->index);
        close(ring->event_fd);
        return MOULT_E_NOMEM;
    }
    pthread_mutex_init(&ring->lock, NULL);
    return MOULT_OK;
}

void wake_ring_release(struct wake_ring *ring)
{
    if (!ring->ring) { return; }
    pthread_mutex_destroy(&ring->lock);
    mem_free(ring->ring);
    mem_free(ring->index);
    close(ring->event_fd);
    memset(ring, 0, sizeof *ring);
}

/* Whether this place of the index still names a waiting wake, and which position. */
static bool is_live(const struct wake_ring *ring, uint32_t entry, uint64_t *position)
{
    uint64_t count = ring->tail - ring->head;
    uint64_t offset = (entry - 1u - ring->head) & (WAKES_MAX - 1);
    *position = ring->head + offset;
    return offset < count;
}

/* The place for a device: the one that names its waiting wake (*found), else a free one. */
static uint32_t *place_of(struct wake_ring *ring, const uint8_t id[16], bool *found)
{
    uint32_t i = get_le32(id) & (INDEX_SIZE - 1);
    *found = false;
    for (; ring->index[i] != 0; i = (i + 1) & (INDEX_SIZE - 1)) {
        uint64_t position;
        if (!is_live(ring, ring->index[i], &position)) { continue; }
        if (memcmp(ring->ring[position & (WAKES_MAX - 1)].device_id, id, 16) == 0) {
            *found = true;
            break;
        }
    }
    return &ring->index[i];
}

/* Forgets the places of wakes that were taken, so that probing stays short. */
static void rebuild(struct wake_ring *ring)
{
    memset(ring->index, 0, INDEX_SIZE * sizeof ring->index[0]);
    ring->used = 0;
    for (uint64_t p = ring->head; p < ring->tail; p++) {
        bool found;
        uint32_t *place = place_of(ring, ring->ring[p & (WAKES_MAX - 1)].device_id, &found);
        *place = 1u + (uint32_t)(p & (WAKES_MAX - 1));
        ring->used++;
    }
}

static bool push_locked(struct wake_ring *ring, const struct control_wake *wake)
{
    bool found;
    uint32_t *place = place_of(ring, wake->device_id, &found);
    if (found) {
        uint64_t position;
        (void)is_live(ring, *place, &position); /* place_of() said so */
        ring->ring[position & (WAKES_MAX - 1)] = *wake;
        return true;
    }
    if (ring->tail - ring->head == WAKES_MAX) {
        ring->dropped++;
        return false;
    }
    ring->ring[ring->tail & (WAKES_MAX - 1)] = *wake;
    *place = 1u + (uint32_t)(ring->tail & (WAKES_MAX - 1));
    ring->tail++;
    ring->used++;
    if (ring->used > INDEX_USED_MAX) { rebuild(ring); }
    return true;
}

bool wake_ring_push(struct wake_ring *ring, const struct control_wake *wake)
{
    pthread_mutex_lock(&ring->lock);
    bool was_empty = ring->tail == ring->head;
    bool ok = push_locked(ring, wake);
    uint64_t one = 1;
    /* Inside the lock, so that wake_ring_take() cannot lower it before it is up. */
    if (ok && was_empty && write(ring->event_fd, &one, sizeof one) < 0) {
        /* The counter is at its limit: the reader is woken all the same. */
    }
    pthread_mutex_unlock(&ring->lock);
    return ok;
}

/* A bucket of one second. */
static void refill(struct wake_ring *ring, uint64_t now_ms)
{
    uint64_t full = (uint64_t)ring->per_s * 1000u;
    uint64_t gone = ring->credited_ms ? now_ms - ring->credited_ms : 1000u;
    ring->credited_ms = now_ms;
    uint64_t more = gone > 1000u ? full : gone * ring->per_s;
    ring->credit_milli =
        ring->credit_milli + more > full ? full : ring->credit_milli + more;
}

size_t wake_ring_take(struct wake_ring *ring, struct control_wake *out, size_t max,
                      uint64_t monotonic_ms)
{
    pthread_mutex_lock(&ring->lock);
    refill(ring, monotonic_ms);
    size_t n = 0;
    while (n < max && ring->head < ring->tail && ring->credit_milli >= 1000u) {
        out[n++] = ring->ring[ring->head++ & (WAKES_MAX - 1)];
        ring->credit_milli -= 1000u;
    }
    bool is_empty = ring->head == ring->tail;
    if (is_empty && ring->used > 0) {
        rebuild(ring);
        uint64_t count;
        ssize_t got = read(ring->event_fd, &count, sizeof count);
        (void)got; /* nothing to read: it was quiet already */
    }
    pthread_mutex_unlock(&ring->lock);
    return n;
}
