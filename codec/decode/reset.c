/* reset.c - the start of a block: one function, for decoder and encoder. */
#include <string.h>
#include "codec/decode/codec.h"

void moult_codec_reset(struct moult_codec *c)
{
    moult_model_reset(&c->model);
    memset(c->cache, 0, sizeof c->cache);
    c->recent_count = 0;
    c->last_old = c->at;
    c->hk = c->ht = 0;
    c->lm = false;
    c->hist = c->since = 0;
    for (unsigned i = 0; i < MOULT_REPEATS; i++) {
        c->rep[i] = 0;
        c->nrep[i] = 1;
    }
    memset(c->target_list, 0, sizeof c->target_list);
    memset(c->difference_list, 0, sizeof c->difference_list);
    memset(c->last_difference, 0, sizeof c->last_difference);
    moult_output_locate(c);
    uint32_t size = moult_patch_block_size(c->header);
    c->block_end = (c->at / size + 1) * size;
    if (c->block_end > c->header->new_size) { c->block_end = c->header->new_size; }
}
