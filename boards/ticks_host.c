/* What passes on the machine that generated the code: the processor's clock, or the library's. */
#include <stdint.h>
#include <time.h>

uint64_t nibble_ticks(void);

uint64_t nibble_ticks(void) {
#if defined(__x86_64__) || defined(__i386__)
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
  uint64_t count;
  __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count) : : "memory");
  return count;
#else
  return (uint64_t)clock();
#endif
}
