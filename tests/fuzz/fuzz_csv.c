/* fuzz_csv.c - server/control/csv.c: every row ends, fields stay inside the reader. */
#include <stdlib.h>
#include <string.h>
#include "server/control/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct csv_reader reader;
    csv_init(&reader, (struct moult_bytes){data, size});
    size_t rows = 0, left = size + 1;
    while (csv_next(&reader) != MOULT_E_NOENT) {
        for (size_t i = 0; i < reader.field_count; i++) {
            if (strlen(reader.field[i]) > CSV_ROW_SIZE_MAX) { abort(); }
        }
        if (reader.rest.size >= left) { abort(); } /* no progress */
        left = reader.rest.size;
        if (++rows > size) { abort(); }
    }
    return 0;
}
