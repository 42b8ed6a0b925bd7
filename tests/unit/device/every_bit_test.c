/* every_bit_test.c - device/src/: an image of which any one bit differs from what was
 * signed is refused, and the old image goes on running. The image is as small as images
 * get, and every bit of it is tried, one update each: what was signed is the whole one,
 * what is served has the bit flipped. */
#include <stdio.h>
#include "formats/app_desc.h"
#include "formats/codes.h"
#include "formats/image_info.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

/* One update with that bit flipped. True: refused as it must be. */
static bool refuses(uint32_t bit)
{
    world_copy(&w, &fresh);
    w.new.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    w.config.backoff_max_ms = w.config.backoff_first_ms = 100;
    w.config.transfer_tries_max = 1;
    if (!world_boot(&w, MOULT_RESET_POWER_ON) || !world_hears(&w, MOULT_D_XFER_DIGEST)) {
        printf("  bit %u: E%04u was not heard\n", bit, MOULT_D_XFER_DIGEST);
        return false;
    }
    if (!world_runs(&w, &w.old) || world_slot_boots(&w, 1)) {
        printf("  bit %u: the old image does not run, or the new one could\n", bit);
        return false;
    }
    return true;
}

static void test_no_bit_of_an_image_may_differ(void)
{
    unsigned wrong = 0;
    for (uint32_t bit = 0; bit < fresh.new.size * 8u && wrong < 5; bit++) {
        wrong += !refuses(bit);
    }
    check_equal(wrong, 0);
}

/* Not because nothing works: the same world without a flipped bit takes the image. */
static void test_the_image_as_signed_is_taken(void)
{
    world_copy(&w, &fresh);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

int main(void)
{
    world_make(&fresh);
    /* Descriptor, record and keyset: with less it could not confirm itself. */
    size_t size = MOULT_APP_DESC_SIZE + MOULT_IMAGE_INFO_SIZE + fresh.fleet.envelope.size;
    struct world_image_options small = {
        .sequence = 2, .version = "1.1.0", .size = (uint32_t)(size + 3) / 4 * 4};
    world_image(&fresh, &fresh.new, &small);
    world_offer(&fresh, &fresh.new);
    check_run(test_the_image_as_signed_is_taken);
    check_run(test_no_bit_of_an_image_may_differ);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
