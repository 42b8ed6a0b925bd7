/* chip.h - what the energy meter needs of an ESP32-C3: time, a serial console, no watchdog
 * surprises.
 *
 * Layer    examples/energy-meter/chip: bare metal, started by ESP-IDF's second-stage
 *          bootloader.
 * Memory   no heap.
 * Threads  one loop, no interrupts.
 */
#ifndef MOULT_EXAMPLES_CHIP_H
#define MOULT_EXAMPLES_CHIP_H

#include <stdbool.h>
#include <stdint.h>

/* Stop the watchdogs that the bootloader started. */
void chip_start(void);

/* Milliseconds since reset. */
uint64_t chip_now_ms(void);

/* One character to UART 0; waits while its buffer is full. */
void chip_put(char c);

/* A character that was typed; -1: none. */
int chip_get(void);

/* Reset the chip, as after a crash: on trial, the bootloader returns to the old image. */
_Noreturn void chip_reset(void);

#endif
