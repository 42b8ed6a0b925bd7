/* image_test.c - moult image make, image inspect: files in, files, words and exit codes
 * out. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/bytes.h"
#include "formats/image_info.h"
#include "keys/openssl_crypto.h"
#include "keys/sb_signer.h"
#include "tests/support/sample_image.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

#define IDS                                                                                \
    " --fleet-id 00112233445566778899aabbccddeeff --class-id "                             \
    "ffeeddccbbaa99887766554433221100 "

enum { SECTION = 40, RODATA = 0x200, RODATA_SIZE = 256 + 104 + 2048 + 40, CODE = 0x1000 };

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moult-image-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : 1;
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *where)
{
    (void)about; /* nftw's signature; only the path is needed */
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state; /* cmocka's signature */
    return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static size_t read_file(const char *name, uint8_t *data, size_t room)
{
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    size_t size = fread(data, 1, room, f);
    fclose(f);
    return size;
}

static void section(uint8_t *raw, uint32_t address, uint32_t offset, uint32_t size)
{
    put_le32(raw + 4, 1);
    put_le32(raw + 8, 2);
    put_le32(raw + 12, address);
    put_le32(raw + 16, offset);
    put_le32(raw + 20, size);
}

/* A program of read-only data with descriptor and room, code behind it in the window, RAM.
 * */
static void write_elf(bool has_room)
{
    static uint8_t elf[0x1100];
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    memset(elf, 0, sizeof elf);
    memcpy(elf, ident, sizeof ident);
    put_le16(elf + 16, 2);
    put_le16(elf + 18, 243);
    put_le32(elf + 24, 0x40380000);
    put_le32(elf + 32, 52);
    put_le16(elf + 46, SECTION);
    put_le16(elf + 48, 4);
    section(elf + 52 + SECTION, 0x42000020, CODE, 100);
    section(elf + 52 + 2 * SECTION, 0x3c010020, RODATA, RODATA_SIZE);
    section(elf + 52 + 3 * SECTION, 0x40380000, CODE, 30);
    memcpy(elf + RODATA, "\x32\x54\xcd\xab", 4);
    if (has_room) { memcpy(elf + RODATA + 256, "MOULTINF\0\0\0\x08", 12); }
    memset(elf + CODE, 0x5a, 100);
    write_file("program.elf", elf, sizeof elf);
}

static void expect(const char *words, int code, const char *out, const char *err)
{
    struct run run = run_words(words);
    if (run.code != code || !strstr(run.out, out) || !strstr(run.err, err)) {
        print_error(
            "%s\nexit %d, expected %d\nout: %s\nerr: %s\nexpected \"%s\" and \"%s\"\n",
            words, run.code, code, run.out, run.err, out, err);
    }
    assert_int_equal(run.code, code);
    assert_non_null(strstr(run.out, out));
    assert_non_null(strstr(run.err, err));
    run_free(&run);
}

static void test_make_and_inspect(void **state)
{
    (void)state;
    write_elf(true);
    write_file("keyset.cbor", "keys!", 5);
    expect("image make program.elf --version 1.1.0 --project meter --sequence 7 "
           "--rollback-floor 5 --keyset keyset.cbor --build-time 1767225600 -o a.bin" IDS,
           0, "", "a.bin: meter 1.1.0 for esp32c3");
    expect("image inspect a.bin", 0, "meter", "");
    expect("image inspect a.bin", 0, "version 1.1.0, sequence 7, rollback floor 5", "");
    expect("image inspect a.bin", 0, "Jan  1 2026 00:00:00", "");
    expect("image inspect a.bin", 0, "00112233445566778899aabbccddeeff", "");
    expect("image inspect a.bin", 0, "ffeeddccbbaa99887766554433221100", "");
    expect("image inspect a.bin", 0, "5 bytes", "");
    expect("image inspect a.bin --json", 0, "\"sequence\": 7", "");
    expect("image inspect a.bin --json", 0, "\"chip\": \"esp32c3\"", "");
}

static void test_the_record_is_where_the_format_says(void **state)
{
    static uint8_t image[200000];
    struct moult_image_info info;
    uint8_t keyset[8];
    (void)state;
    write_elf(true);
    write_file("keyset.cbor", "keys!", 5);
    expect("image make program.elf --version 1.1.0 --sequence 7 --keyset keyset.cbor "
           "-o a.bin" IDS,
           0, "", "");
    struct moult_bytes bytes = {image, read_file("a.bin", image, sizeof image)};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    assert_int_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    assert_int_equal(info.rollback_floor, 7); /* no way back unless said */
    assert_int_equal(moult_image_info_read_keyset(&reader, &info, keyset, 8), MOULT_OK);
    assert_memory_equal(keyset, "keys!", 5);
}

static void test_the_same_input_gives_the_same_bytes(void **state)
{
    static uint8_t a[200000], b[200000];
    (void)state;
    write_elf(true);
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1767225600", 1), 0);
    expect("image make program.elf --version 1 -o a.bin", 0, "", "");
    expect("image make program.elf --version 1 -o b.bin", 0, "", "");
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "soon", 1), 0);
    expect("image make program.elf --version 1 -o c.bin", 2, "", "SOURCE_DATE_EPOCH");
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    size_t size = read_file("a.bin", a, sizeof a);
    assert_int_equal(read_file("b.bin", b, sizeof b), size);
    assert_memory_equal(a, b, size);
}

static void test_without_ids_there_is_no_record(void **state)
{
    (void)state;
    write_elf(true);
    expect("image make program.elf --version 1 -o a.bin", 0, "", "");
    expect("image inspect a.bin", 0, "none: not made for moult", "");
    expect("image inspect a.bin", 0, "moult_image_info expects format 1, found 0", "");
    expect("image inspect a.bin --json", 0, "\"moult\": null", "");
}

static void test_what_make_refuses(void **state)
{
    static const struct {
        const char *words;
        int code;
        const char *err;
    } rows[] = {
        {"image make program.elf --version 1", 2, "--out FILE"},
        {"image make program.elf -o a.bin", 2, "--version TEXT"},
        {"image make program.elf --version '' -o a.bin", 2, "--version TEXT"},
        {"image make program.elf --version 1 -o a.bin --chip esp9000", 2, "esp9000"},
        {"image make program.elf --version 1 -o a.bin --chip esp32h4", 6, "MOULT-E2407"},
        {"image make program.elf --version 1 -o a.bin --chip esp32", 6, "MOULT-E2479"},
        {"image make program.elf --version 1 -o a.bin --sequence 1", 2, "--fleet-id"},
        {"image make program.elf --version 1 -o a.bin --sequence 0" IDS, 2, "--sequence"},
        {"image make program.elf --version 1 -o a.bin" IDS, 2, "--sequence"},
        {"image make program.elf --version 1 -o a.bin --sequence 1 --rollback-floor 2" IDS,
         2, "--rollback-floor"},
        {"image make program.elf --version 1 -o a.bin --fleet-id 12", 2, "32 hex digits"},
        {"image make program.elf --version 12345678901234567890123456789012 -o a.bin "
         "--sequence 1" IDS,
         2, "at most 31 bytes"},
        {"image make program.elf --version 1 -o a.bin --secure-version 17", 2,
         "at most 16"},
        {"image make program.elf --version 1 -o a.bin --flash-size 3", 2, "--flash-size"},
        {"image make program.elf --version 1 -o a.bin --min-revision 200", 2,
         "--min-revision"},
        {"image make nothing.elf --version 1 -o a.bin", 1, "nothing.elf"},
        {"image make keyset.cbor --version 1 -o a.bin", 6, "MOULT-E2428"},
        {"image make program.elf --version 1 -o a.bin --sequence 1 --keyset large" IDS, 1,
         "MOULT-E2316"},
        {"image make bare.elf --version 1 -o a.bin --sequence 1" IDS, 6, "MOULT-E2411"},
    };
    static uint8_t large[2049];
    (void)state;
    write_elf(false);
    assert_int_equal(rename("program.elf", "bare.elf"), 0);
    write_elf(true);
    write_file("keyset.cbor", "this is no ELF file: it has text in it, not a program", 53);
    write_file("large", large, sizeof large);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rows[i].words, rows[i].code, "", rows[i].err);
        assert_int_equal(access("a.bin", F_OK), -1); /* nothing half-made is left */
    }
}

static void test_an_image_is_not_overwritten_unasked(void **state)
{
    (void)state;
    write_elf(true);
    expect("image make program.elf --version 1 -o a.bin", 0, "", "");
    expect("image make program.elf --version 2 -o a.bin", 5, "", "MOULT-E2312");
    expect("image make program.elf --version 2 -o a.bin --force", 0, "", "moult 2");
}

static void test_inspect_says_what_is_wrong_and_where(void **state)
{
    static uint8_t image[SAMPLE_SIGNED_SIZE];
    (void)state;
    sample_signed_image(image);
    write_file("good.bin", image, sizeof image);
    write_file("plain.bin", image, SAMPLE_IMAGE_SIZE);
    write_file("short.bin", image, 300);
    write_file("long.bin", image, SAMPLE_IMAGE_SIZE + 100);
    write_file("cut.bin", image, sizeof image - 1);
    write_file("empty.bin", image, 0);
    expect("image inspect good.bin", 0, "ecdsa-p256, key digest 5908ff09f652723954169b",
           "");
    expect("image inspect good.bin", 0, "image digest right, signature right", "");
    expect("image inspect plain.bin", 0, "none (Secure Boot V2)", "");
    expect("image inspect plain.bin", 0, "0.3 to 1.99", "");
    expect("image inspect short.bin", 6, "",
           "MOULT-E2402 short.bin, offset 0x120: ESP image expects 336 bytes, file ends at "
           "300");
    expect("image inspect empty.bin", 6, "", "expects 24 bytes, file ends at 0");
    expect("image inspect cut.bin", 6, "", "expects 8192 bytes, file ends at 8191");
    expect("image inspect long.bin", 0, "ESP image ends at 336, file goes on to 436", "");
    expect("image inspect short.bin --json", 6, "\"code\": \"E2402\"", "");
    image[100] ^= 1;
    write_file("flipped.bin", image, SAMPLE_IMAGE_SIZE);
    expect("image inspect flipped.bin", 6, "",
           "MOULT-E2405 flipped.bin, offset 0x12f: ESP image checksum expects 0xf2, found "
           "0xf3");
    image[0] = 0x7f;
    write_file("elf.bin", image, SAMPLE_IMAGE_SIZE);
    expect("image inspect elf.bin", 6, "", "expects first byte 0xe9, found 0x7f");
    sample_signed_image(image);
    image[4096 + 200] ^= 1;
    write_file("sector.bin", image, sizeof image);
    expect("image inspect sector.bin", 6, "", "MOULT-E2447 sector.bin, offset 0x14ac");
    sample_signed_image(image);
    image[1000] = 0;
    write_file("other.bin", image, sizeof image);
    expect("image inspect other.bin", 6, "",
           "signature block is for image digest d75cca6d..., the image has");
    expect("image inspect missing.bin", 1, "", "missing.bin");
}

static void test_inspect_verifies_rsa_signatures_as_well(void **state)
{
    static uint8_t image[SAMPLE_SIGNED_SIZE];
    struct moult_crypto crypto = keys_openssl_crypto();
    struct keys_sb_key *key;
    (void)state;
    sample_image(image);
    struct keys_sb_image signing = {image, SAMPLE_IMAGE_SIZE, sizeof image};
    assert_int_equal(keys_sb_key_make(MOULT_SB_RSA3072, &key), MOULT_OK);
    const struct keys_sb_key *signers[] = {key};
    assert_int_equal(keys_sb_sign_image(&signing, signers, 1, &crypto), MOULT_OK);
    keys_sb_key_free(key);
    write_file("rsa.bin", image, sizeof image);
    expect("image inspect rsa.bin", 0, "rsa3072, key digest", "");
    expect("image inspect rsa.bin", 0, "image digest right, signature right", "");
    image[4096 + 900] ^= 1; /* of the signature; its CRC put right */
    put_le32(image + 4096 + 1196, crc32_le(0, image + 4096, 1196));
    write_file("wrong.bin", image, sizeof image);
    expect(
        "image inspect wrong.bin", 6, "",
        "MOULT-E2449 wrong.bin, offset 0x1000: signature of the signature block does not "
        "verify");
}

static void test_odd_names_reach_the_terminal_tamed(void **state)
{
    static uint8_t image[SAMPLE_IMAGE_SIZE];
    (void)state;
    sample_image(image);
    image[23] = 0; /* no digest: only the checksum is to be put right */
    memcpy(image + 80, "\x1b[2Jx\xff", 6); /* clears the screen; not UTF-8 */
    sample_fix_checksum(image);
    write_file("odd.bin", image, SAMPLE_CHECKSUM_OFFSET + 1);
    expect("image inspect odd.bin", 0, "?[2Jx?", "");
    expect("image inspect odd.bin --json", 0, "?[2Jx?", "");
    expect("image inspect odd.bin", 0, "none appended", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_make_and_inspect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_record_is_where_the_format_says, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_input_gives_the_same_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_without_ids_there_is_no_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_make_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_image_is_not_overwritten_unasked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_says_what_is_wrong_and_where, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_verifies_rsa_signatures_as_well,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_names_reach_the_terminal_tamed, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
