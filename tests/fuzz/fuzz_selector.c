/* fuzz_selector.c - a selector as people type it, judged for one device. */
#include "formats/selector.h"
#include "tests/fuzz/oracle.h"

static struct moult_value field_value(const void *context, unsigned field,
                                      struct moult_bytes ident)
{
    (void)context;
    struct moult_value value = {.type = (enum moult_value_type)((field + ident.size) % 6)};
    value.text = (struct moult_bytes){(const uint8_t *)"1.2.3", 5};
    value.number = (int64_t)field;
    return value;
}

static bool tag_value(const void *context, struct moult_bytes name,
                      struct moult_bytes *value)
{
    (void)context;
    *value = name;
    return name.size % 2 == 0;
}

static bool in_group(const void *context, struct moult_bytes name)
{
    (void)context;
    return name.size % 3 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct moult_selector selector;
    struct moult_selector_error error;
    struct moult_bytes text = {data, size};
    const struct moult_selector_subject subject = {
        .now_ms = 1767225600000, .field = field_value, .tag = tag_value, .group = in_group};
    enum moult_status st =
        moult_selector_parse(&moult_selector_device_fields, text, &selector, &error);
    if (st != MOULT_OK) {
        promise(st == MOULT_E_ARG || st == MOULT_E_RANGE, "two kinds of mistakes");
        promise(error.expected && error.position + (size_t)error.size <= size,
                "a mistake has a place in the text");
        return 0;
    }
    promise(size <= MOULT_SELECTOR_SIZE_MAX, "the limit");
    promise(selector.term_count >= 1 && selector.node_count >= selector.term_count,
            "counts");
    bool all = true;
    for (unsigned i = 0; i < selector.term_count; i++) {
        all = moult_selector_term_holds(&selector, i, &subject) && all;
        promise(selector.terms[i].position < size, "a term has a place in the text");
    }
    bool matches = moult_selector_matches(&selector, &subject);
    bool plain = selector.node_count == selector.term_count; /* one term, no not */
    promise(!plain || matches == all, "a single term decides");
    return 0;
}
