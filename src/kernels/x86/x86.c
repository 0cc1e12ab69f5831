#define _GNU_SOURCE
#include "kernels/x86/x86.h"

#if defined(NIBBLE_X86)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Leaf 7's registers eax (of subleaf 1), ebx, ecx, edx (of subleaf 0), or zeros; `registers` of XCR0 must be kept. */
typedef struct leaf {
  unsigned eax, ebx, ecx, edx;
} leaf;

static leaf features(unsigned registers) {
  unsigned a = 0, b = 0, c = 0, d = 0, low = 0, high = 0;
  leaf found = {0, 0, 0, 0};
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA)) return found;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & registers) != registers || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return found;
  found.ebx = b;
  found.ecx = c;
  found.edx = d;
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) found.eax = a;
  return found;
}

enum { YMM = 0x6, ZMM = 0xe6, TILES = 0x600e6 };

int nibble_has_avx2(void) {
  return features(YMM).ebx != 0;
}

int nibble_has_avxvnni(void) {
  return (features(YMM).eax >> 4 & 1) != 0;
}

int nibble_has_avx512vnni(void) {
  const leaf found = features(ZMM);
  const unsigned needed = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
  return (found.ebx & needed) == needed && (found.ecx >> 11 & 1) != 0;
}

int nibble_has_amx(void) {
#if defined(__linux__)
  /* Tiles are kept for a process that asked for them: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA). */
  const unsigned tiles = 1u << 24 | 1u << 25;
  return nibble_has_avx512vnni() && (features(TILES).edx & tiles) == tiles && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return 0;
#endif
}

#endif
