/* start.S - entry point: registers, memory, then main(). The bootloader has copied RAM segments and
 * mapped flash; it jumps here with interrupts off and a stack that is not ours. */
    .option arch, +zicsr /* the compiler is told rv32imc, for which there is a C library */
    .section .entry, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, __stack_top
    la tp, __tls_start
    la t0, trap
    csrw mtvec, t0

    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main

/* A trap, or main() that returned: stay here. The next image's watchdog is not this one's. */
    .align 8
trap:
    j trap
