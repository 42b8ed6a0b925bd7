/* chip.c - see chip.h. Register names and numbers of the ESP32-C3 Technical Reference
 * Manual. */
#include "examples/energy-meter/chip/chip.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define UART0_FIFO REGISTER(0x60000000)
#define UART0_STATUS REGISTER(0x6000001c)
#define RTC_CNTL_OPTIONS0 REGISTER(0x60008000)
#define RTC_CNTL_WDTCONFIG0 REGISTER(0x60008090)
#define RTC_CNTL_WDTWPROTECT REGISTER(0x600080a8)
#define RTC_CNTL_SWD_CONF REGISTER(0x600080ac)
#define RTC_CNTL_SWD_WPROTECT REGISTER(0x600080b0)
#define TIMG0_WDTCONFIG0 REGISTER(0x6001f048)
#define TIMG0_WDTWPROTECT REGISTER(0x6001f064)
#define SYSTIMER_UNIT0_OP REGISTER(0x60023004)
#define SYSTIMER_UNIT0_VALUE_HI REGISTER(0x60023040)
#define SYSTIMER_UNIT0_VALUE_LO REGISTER(0x60023044)

#define SYSTEM_RESET (UINT32_C(1) << 31)
#define WDT_KEY 0x50d83aa1u
#define SWD_KEY 0x8f1d312au
#define SWD_AUTO_FEED (UINT32_C(1) << 31)
#define SYSTIMER_UPDATE (UINT32_C(1) << 30)
#define SYSTIMER_VALUE_VALID (UINT32_C(1) << 29)

enum { UART_FIFO_SIZE = 128, SYSTIMER_TICKS_PER_MS = 16000, UPDATE_POLLS_MAX = 1000 };

void chip_start(void)
{
    RTC_CNTL_WDTWPROTECT = WDT_KEY;
    RTC_CNTL_WDTCONFIG0 = 0;
    RTC_CNTL_WDTWPROTECT = 0;
    RTC_CNTL_SWD_WPROTECT = SWD_KEY;
    RTC_CNTL_SWD_CONF |= SWD_AUTO_FEED;
    RTC_CNTL_SWD_WPROTECT = 0;
    TIMG0_WDTWPROTECT = WDT_KEY;
    TIMG0_WDTCONFIG0 = 0;
    TIMG0_WDTWPROTECT = 0;
}

uint64_t chip_now_ms(void)
{
    SYSTIMER_UNIT0_OP = SYSTIMER_UPDATE;
    for (int i = 0; i < UPDATE_POLLS_MAX && !(SYSTIMER_UNIT0_OP & SYSTIMER_VALUE_VALID);
         i++) {}
    uint64_t high = SYSTIMER_UNIT0_VALUE_HI & 0xfffffu;
    return (high << 32 | SYSTIMER_UNIT0_VALUE_LO) / SYSTIMER_TICKS_PER_MS;
}

void chip_put(char c)
{
    while ((UART0_STATUS >> 16 & 0x3ffu) >= UART_FIFO_SIZE - 1) {}
    UART0_FIFO = (uint8_t)c;
}

int chip_get(void)
{
    return (UART0_STATUS & 0x3ffu) == 0 ? -1 : (int)(UART0_FIFO & 0xffu);
}

_Noreturn void chip_reset(void)
{
    RTC_CNTL_OPTIONS0 |= SYSTEM_RESET;
    for (;;) {}
}
