/* encoder_test.c - codec/encode/ and codec/decode/: what was coded comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/chip.h"
#include "tests/support/check.h"
#include "tests/support/code_image.h"
#include "tests/support/patching.h"

static uint8_t old_image[CODE_IMAGE_MAX], new_image[CODE_IMAGE_MAX];
static struct moult_bytes base, result;

static const uint16_t chips[] = {MOULT_CHIP_ESP32, MOULT_CHIP_ESP32S3, MOULT_CHIP_ESP32C3};

static void make_pair(uint16_t chip, uint32_t seed)
{
    static struct code_program program;
    code_program_make(&program, chip, seed);
    base = (struct moult_bytes){old_image,
                                code_image_link(&program, old_image, sizeof old_image)};
    code_program_edit(&program, seed + 1);
    result = (struct moult_bytes){new_image,
                                  code_image_link(&program, new_image, sizeof new_image)};
}

static bool comes_back(struct patching *p, const struct patching_how *how)
{
    memset(p->output, 0xcc, p->result.size);
    return patching_apply(p, how) == MOULT_OK &&
           memcmp(p->output, p->result.data, p->result.size) == 0;
}

static void test_code_that_moved_costs_next_to_nothing(void)
{
    for (unsigned i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        struct patching p;
        make_pair(chips[i], 7 + i);
        check_equal(patching_make(&p, base, result, MOULT_PATCH_M8), MOULT_OK);
        printf("  chip %u: %zu bytes to %zu, patch %zu\n", chips[i], base.size, result.size,
               p.patch.size);
        check(p.patch.size < result.size / 40);
        check_equal(p.patch.header.flags, MOULT_PATCH_FLAGS); /* all is derived */
        struct patching_how whole = {.piece = 0};
        check(comes_back(&p, &whole));
        patching_free(&p);
    }
}

static void test_both_profiles_and_pieces_of_any_size_give_the_same(void)
{
    static const size_t pieces[] = {1, 7, 64, 4096};
    for (uint8_t profile = MOULT_PATCH_M8; profile <= MOULT_PATCH_M16; profile++) {
        struct patching p;
        make_pair(MOULT_CHIP_ESP32C3, 11);
        check_equal(patching_make(&p, base, result, profile), MOULT_OK);
        for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            struct patching_how how = {.piece = pieces[i]};
            check(comes_back(&p, &how));
        }
        patching_free(&p);
    }
}

static void test_a_full_image_needs_no_base(void)
{
    for (unsigned i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        struct patching p;
        make_pair(chips[i], 23 + i);
        struct moult_bytes none = {NULL, 0};
        check_equal(patching_make(&p, none, result, MOULT_PATCH_M8), MOULT_OK);
        printf("  chip %u: %zu bytes, full %zu\n", chips[i], result.size, p.patch.size);
        check(p.patch.size < result.size * 2 / 3);
        struct patching_how whole = {.piece = 0};
        check(comes_back(&p, &whole));
        patching_free(&p);
    }
}

/* Small steps in a byte string that is no image: counters, texts, random bytes. */
static void make_data(uint32_t seed)
{
    uint32_t size = 40000;
    for (uint32_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bool is_noise = i % 4096 < 512;
        old_image[i] =
            is_noise ? (uint8_t)(seed >> 24) : (uint8_t) "configuration\n"[i % 14];
    }
    memcpy(new_image, old_image, 10000);
    memcpy(new_image + 10000, "inserted", 8);
    memcpy(new_image + 10008, old_image + 10000, size - 10000);
    for (uint32_t i = 20000; i < 30000; i += 640) {
        new_image[i]++;
    }
    base = (struct moult_bytes){old_image, size};
    result = (struct moult_bytes){new_image, size + 8};
}

static void test_other_data_is_patched_too(void)
{
    struct patching p;
    make_data(5);
    check_equal(patching_make(&p, base, result, MOULT_PATCH_M8), MOULT_OK);
    check_equal(p.patch.header.isa, MOULT_PATCH_GENERIC);
    printf("  data: %zu bytes, patch %zu\n", result.size, p.patch.size);
    check(p.patch.size < 600);
    struct patching_how whole = {.piece = 0};
    check(comes_back(&p, &whole));
    patching_free(&p);
}

static void test_noise_is_refused(void)
{
    struct patching p;
    uint32_t seed = 99;
    for (uint32_t i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        new_image[i] = (uint8_t)(seed >> 24);
    }
    struct moult_bytes none = {NULL, 0}, noise = {new_image, 20000};
    check_equal(patching_make(&p, none, noise, MOULT_PATCH_M8), MOULT_E_SPACE);
    check(p.patch.data == NULL);
    patching_free(&p);
}

static void test_the_smallest_and_the_equal(void)
{
    static const uint8_t texts[][80] = {"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct patching p;
    make_pair(MOULT_CHIP_ESP32C3, 3);
    check_equal(patching_make(&p, base, base, MOULT_PATCH_M8), MOULT_OK);
    check(p.patch.size < 150);
    struct patching_how whole = {.piece = 0};
    check(comes_back(&p, &whole));
    patching_free(&p);
    struct moult_bytes none = {NULL, 0}, one = {texts[0], 1}, run = {texts[1], 78};
    check_equal(patching_make(&p, none, none, MOULT_PATCH_M8), MOULT_E_RANGE);
    patching_free(&p);
    check_equal(patching_make(&p, none, one, MOULT_PATCH_M8), MOULT_E_SPACE);
    patching_free(&p);
    check_equal(patching_make(&p, run, run, 3), MOULT_E_ARG);
    patching_free(&p);
}

static void test_the_same_input_gives_the_same_bytes(void)
{
    struct patching p, q;
    make_pair(MOULT_CHIP_ESP32, 31);
    check_equal(patching_make(&p, base, result, MOULT_PATCH_M8), MOULT_OK);
    check_equal(patching_make(&q, base, result, MOULT_PATCH_M8), MOULT_OK);
    check_equal(p.patch.size, q.patch.size);
    check_bytes(p.patch.data, q.patch.data, p.patch.size);
    patching_free(&p);
    patching_free(&q);
}

/* As after a power cut: a fresh decoder, the output before the block, the patch from there.
 */
static void test_any_block_can_be_where_it_goes_on(void)
{
    static struct code_program program;
    struct patching p;
    struct moult_bytes none = {NULL, 0}; /* so that it has several blocks */
    code_program_make(&program, MOULT_CHIP_ESP32, 47);
    for (unsigned i = 0; i < program.count; i++) {
        program.functions[i].size *= 4;
    }
    result.size = code_image_link(&program, new_image, sizeof new_image);
    result.data = new_image;
    check_equal(patching_make(&p, none, result, MOULT_PATCH_M8), MOULT_OK);
    struct patching_how whole = {.piece = 0};
    check(comes_back(&p, &whole));
    check(p.mark_count >= 2);
    struct moult_decoder_mark marks[PATCHING_MARKS];
    unsigned count = p.mark_count;
    memcpy(marks, p.marks, sizeof marks);
    for (unsigned i = 0; i < count; i++) {
        struct patching_how from = {.from = &marks[i]};
        memset(p.output + marks[i].output, 0xcc, result.size - marks[i].output);
        check_equal(patching_apply(&p, &from), MOULT_OK);
        check_bytes(p.output, result.data, result.size);
    }
    patching_free(&p);
}

static void test_a_patch_that_ends_early_is_never_done(void)
{
    struct patching p;
    make_pair(MOULT_CHIP_ESP32C3, 59);
    check_equal(patching_make(&p, base, result, MOULT_PATCH_M8), MOULT_OK);
    for (size_t size = 0; size < p.patch.size; size += size < 200 ? 1 : 37) {
        struct patching_how cut = {.patch = {p.patch.data, size}};
        check(patching_apply(&p, &cut) != MOULT_OK);
    }
    patching_free(&p);
}

/* Whatever it does, it stays inside (patching.c insists), and ends. */
static void test_a_patch_with_wrong_bits_stays_inside_and_ends(void)
{
    struct patching p;
    uint32_t seed = 1;
    unsigned refused = 0, wrong = 0;
    make_pair(MOULT_CHIP_ESP32, 61);
    check_equal(patching_make(&p, base, result, MOULT_PATCH_M8), MOULT_OK);
    uint8_t *spoilt = malloc(p.patch.size);
    check(spoilt != NULL);
    for (unsigned i = 0; i < 400; i++) {
        memcpy(spoilt, p.patch.data, p.patch.size);
        seed = seed * 1664525 + 1013904223;
        size_t at = i < 100 ? i * 8 % (8 * 104) : (seed >> 8) % (8 * p.patch.size);
        spoilt[at / 8] ^= (uint8_t)(1u << at % 8);
        struct patching_how how = {.patch = {spoilt, p.patch.size}};
        if (patching_apply(&p, &how) != MOULT_OK) {
            refused++;
        } else if (memcmp(p.output, result.data, result.size) != 0) {
            wrong++;
        }
    }
    printf("  400 flips: %u refused, %u other output\n", refused, wrong);
    check(refused + wrong >= 340); /* the rest: identities, which nobody believes */
    free(spoilt);
    patching_free(&p);
}

int main(void)
{
    check_run(test_code_that_moved_costs_next_to_nothing);
    check_run(test_both_profiles_and_pieces_of_any_size_give_the_same);
    check_run(test_a_full_image_needs_no_base);
    check_run(test_other_data_is_patched_too);
    check_run(test_noise_is_refused);
    check_run(test_the_smallest_and_the_equal);
    check_run(test_the_same_input_gives_the_same_bytes);
    check_run(test_any_block_can_be_where_it_goes_on);
    check_run(test_a_patch_that_ends_early_is_never_done);
    check_run(test_a_patch_with_wrong_bits_stays_inside_and_ends);
    return check_report();
}
