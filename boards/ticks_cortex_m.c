/* Instructions of an emulated Cortex-M, by its own timer. Under `-icount shift=6` an instruction takes 64 ns of the
 * emulator's time, and SysTick counts cycles of a clock of NIBBLE_CLOCK Hz: 25 MHz is 1.6 cycles an instruction, so that
 * none is lost. On a board the same file counts cycles / 64 * 10^9 / NIBBLE_CLOCK. */
#include <stdint.h>

#define CONTROL (*(volatile uint32_t*)0xE000E010)
#define RELOAD (*(volatile uint32_t*)0xE000E014)
#define VALUE (*(volatile uint32_t*)0xE000E018)
#define PENDING ((*(volatile uint32_t*)0xE000ED04 >> 26) & 1u)

static volatile uint32_t rounds;

uint64_t nibble_ticks(void);
void nibble_on_tick(void);

void nibble_on_tick(void) {
  rounds = rounds + 1;
}

uint64_t nibble_ticks(void) {
  uint32_t before, value;
  if ((CONTROL & 1u) == 0) {
    RELOAD = 0xFFFFFF;
    VALUE = 0;
    CONTROL = 7;
  }
  do {
    before = rounds;
    value = VALUE;
  } while (before != rounds || PENDING);
  return (((uint64_t)before << 24) + (0xFFFFFF - value)) * 1000000000u / ((uint64_t)NIBBLE_CLOCK * 64u);
}
