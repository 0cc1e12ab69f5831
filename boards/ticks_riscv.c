/* Instructions of an emulated RISC-V core under `-icount shift=0`; on a board, those that it retired. */
#include <stdint.h>

uint64_t nibble_ticks(void);

uint64_t nibble_ticks(void) {
  uint32_t low, high, again;
  do {
    __asm__ volatile("rdinstreth %0" : "=r"(high));
    __asm__ volatile("rdinstret %0" : "=r"(low));
    __asm__ volatile("rdinstreth %0" : "=r"(again));
  } while (high != again);
  return (uint64_t)high << 32 | low;
}
