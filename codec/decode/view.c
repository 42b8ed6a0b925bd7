/* view.c - bytes of an image through a window. */
#include <assert.h>
#include <string.h>
#include "codec/decode/codec.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The window then begins at offset. What may be read ends at `end`. */
static void refill(struct moult_codec *c, struct moult_view *view, uint32_t offset,
                   uint32_t end)
{
    view->from = offset;
    view->size = smaller(MOULT_CODEC_WINDOW, end - offset);
    if (!view->read(view->context, offset, view->window, view->size)) {
        c->is_stuck = true;
        memset(view->window, 0, view->size);
    }
}

/* Output is readable as far as it left the ring; the base to its end. */
static uint32_t end_of(const struct moult_codec *c, const struct moult_view *view)
{
    if (view != &c->output) { return c->header->base_size; }
    return c->at > MOULT_CODEC_RING ? c->at - MOULT_CODEC_RING : 0;
}

void moult_view_get(struct moult_codec *c, struct moult_view *view, uint32_t offset,
                    uint8_t *out, uint32_t size)
{
    assert(size <= 8);
    if (offset - view->from < view->size && view->size - (offset - view->from) >= size) {
        memcpy(out, view->data + (offset - view->from), size);
        return;
    }
    uint32_t end = end_of(c, view);
    assert(view->window && offset < end && size <= end - offset);
    refill(c, view, offset, end);
    memcpy(out, view->data, size);
}
