/* storage.h - where the bits of a simulated chip live: caller's RAM, or a file.
 *
 * Layer    ports/sim.
 * Memory   no heap. RAM storage borrows the caller's array, a file has one descriptor.
 * Threads  one at a time per storage.
 * Power    a write is one pwrite() of one flash operation, in operation order: killing the
 *          process at any moment leaves a prefix of the operations, the last one perhaps
 *          torn, as a power cut does. The page cache survives the process; only a crash of
 *          the host itself may lose more.
 */
#ifndef MOULT_PORTS_SIM_STORAGE_H
#define MOULT_PORTS_SIM_STORAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"

struct moult_sim_storage {
    uint8_t *ram;  /* borrowed; NULL: the file */
    int fd;        /* owned; -1: RAM */
    uint32_t size; /* bytes */
};

enum moult_sim_open {
    MOULT_SIM_OPEN_READ,   /* read only, no lock: may look at a running device */
    MOULT_SIM_OPEN_RUN,    /* read and write, exclusive lock until closed */
    MOULT_SIM_OPEN_CREATE, /* as RUN, in a new file of `size` bytes 0xff */
};

/* Storage in `size` bytes at ram, whose content is kept. Cannot fail. */
void moult_sim_storage_ram(struct moult_sim_storage *storage, uint8_t *ram, uint32_t size);

/* Storage in the file `path` (copied nowhere). `size` is what the file must have, 0: any.
 *
 * MOULT_OK; MOULT_E_NOENT: no such file; MOULT_E_EXISTS: CREATE, and it is there;
 * MOULT_E_BUSY: another process holds the lock; MOULT_E_FORMAT: another size; MOULT_E_IO:
 * anything else, see errno. */
MOULT_MUST_CHECK enum moult_status moult_sim_storage_open(struct moult_sim_storage *storage,
                                                          const char *path,
                                                          enum moult_sim_open mode,
                                                          uint32_t size);

/* Closes the file and so ends the lock. Harmless on RAM and when closed already. */
void moult_sim_storage_close(struct moult_sim_storage *storage);

/* size bytes at offset, which the caller has checked against storage->size.
 * MOULT_OK; MOULT_E_IO: the file cannot be read, out undefined. */
MOULT_MUST_CHECK enum moult_status
moult_sim_storage_read(const struct moult_sim_storage *storage, uint32_t offset,
                       uint8_t *out, uint32_t size);

/* As read. MOULT_OK; MOULT_E_IO: the file cannot be written, its content there undefined.
 */
MOULT_MUST_CHECK enum moult_status
moult_sim_storage_write(struct moult_sim_storage *storage, uint32_t offset,
                        const uint8_t *data, uint32_t size);

#endif
