/* From reset to main on a Cortex-M without an operating system, for emulators and for a board under a debugger: output and
 * the result go through semihosting (newlib's rdimon). */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t nibble_stack, nibble_data, nibble_data_end, nibble_data_from, nibble_bss, nibble_bss_end;
int main(void);
void initialise_monitor_handles(void);
void nibble_reset(void);
void nibble_on_tick(void);
void _init(void);
void _fini(void);

static void fault(void) {
  abort();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {(void (*)(void)) & nibble_stack,
                                                                                     nibble_reset,
                                                                                     fault,
                                                                                     fault,
                                                                                     fault,
                                                                                     fault,
                                                                                     fault,
                                                                                     0,
                                                                                     0,
                                                                                     0,
                                                                                     0,
                                                                                     fault,
                                                                                     fault,
                                                                                     0,
                                                                                     fault,
                                                                                     nibble_on_tick};

/* Of the core's timer; another may stand in its place. */
__attribute__((weak)) void nibble_on_tick(void) {}

void nibble_reset(void) {
  uint32_t *to = &nibble_data, *from = &nibble_data_from;
  while (to != &nibble_data_end) *to++ = *from++;
  for (to = &nibble_bss; to != &nibble_bss_end; ++to) *to = 0;
  /* The coprocessors of reals and vectors, where there are any. */
  *(volatile uint32_t*)0xE000ED88 |= 0xFu << 20;
  __asm__ volatile("dsb\n\tisb");
  initialise_monitor_handles();
  exit(main());
}

void _init(void) {}
void _fini(void) {}
