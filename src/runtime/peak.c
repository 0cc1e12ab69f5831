#define _GNU_SOURCE
#include "runtime/peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/threads.h"

/* A loop of `rounds` rounds; every accumulator is an operand of its own, so that none waits for another. Returns the
 * multiply-accumulates of one round. */
typedef int64_t (*peak_loop)(int64_t rounds);

#define EIGHT_TIMES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* A number at a time: the arithmetic of sets without vectors. */
static int64_t scalar(int64_t rounds) {
  int64_t sum[8] = {0}, a = 3, b = 5;
  for (int64_t i = 0; i < rounds; ++i) {
#define NIBBLE_ONE(k)                      \
  __asm__ volatile("" : "+r"(a), "+r"(b)); \
  sum[k] += a * b;
    EIGHT_TIMES(NIBBLE_ONE)
#undef NIBBLE_ONE
  }
  for (int k = 0; k < 8; ++k) __asm__ volatile("" : : "r"(sum[k]));
  return 8;
}

#if defined(__x86_64__)
typedef long long vector256 __attribute__((vector_size(32)));
typedef long long vector512 __attribute__((vector_size(64)));
#define LIKE(instructions) __attribute__((target(instructions), noinline))

/* vpmaddubsw, vpmaddwd, vpaddd: 32 a time. */
static LIKE("avx2") int64_t avx2_bytes(int64_t rounds) {
  vector256 s[8] = {{0}}, a = {0}, one = {0}, t[8];
  for (int64_t i = 0; i < rounds; ++i) {
#define NIBBLE_ONE(k)                                                                  \
  __asm__ volatile("vpmaddubsw %2, %2, %1\n\tvpmaddwd %3, %1, %1\n\tvpaddd %1, %0, %0" \
                   : "+x"(s[k]), "=&x"(t[k])                                           \
                   : "x"(a), "x"(one));
    NIBBLE_ONE(0)
    NIBBLE_ONE(1)
    NIBBLE_ONE(2)
    NIBBLE_ONE(3)
    NIBBLE_ONE(4)
    NIBBLE_ONE(5)
#undef NIBBLE_ONE
  }
  return 6 * 32;
}

/* vpmaddwd, vpaddd on 16-bit numbers: 16 a time. */
static LIKE("avx2") int64_t avx2_words(int64_t rounds) {
  vector256 s[8] = {{0}}, a = {0}, t[8];
  for (int64_t i = 0; i < rounds; ++i) {
#define NIBBLE_ONE(k) __asm__ volatile("vpmaddwd %2, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(s[k]), "=&x"(t[k]) : "x"(a));
    NIBBLE_ONE(0)
    NIBBLE_ONE(1)
    NIBBLE_ONE(2)
    NIBBLE_ONE(3)
    NIBBLE_ONE(4)
    NIBBLE_ONE(5)
#undef NIBBLE_ONE
  }
  return 6 * 16;
}

#define VNNI(vector, constraint, prefix, macs)                                                              \
  vector s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0, a = s0; \
  for (int64_t i = 0; i < rounds; ++i) {                                                                    \
    __asm__ volatile(prefix "vpdpbusd %10, %10, %0\n\t" prefix "vpdpbusd %10, %10, %1\n\t" prefix           \
                            "vpdpbusd %10, %10, %2\n\t" prefix "vpdpbusd %10, %10, %3\n\t" prefix           \
                            "vpdpbusd %10, %10, %4\n\t" prefix "vpdpbusd %10, %10, %5\n\t" prefix           \
                            "vpdpbusd %10, %10, %6\n\t" prefix "vpdpbusd %10, %10, %7\n\t" prefix           \
                            "vpdpbusd %10, %10, %8\n\t" prefix "vpdpbusd %10, %10, %9"                      \
                     : "+" constraint(s0), "+" constraint(s1), "+" constraint(s2), "+" constraint(s3),      \
                       "+" constraint(s4), "+" constraint(s5), "+" constraint(s6), "+" constraint(s7),      \
                       "+" constraint(s8), "+" constraint(s9)                                               \
                     : constraint(a));                                                                      \
  }                                                                                                         \
  return 10 * (macs);

static LIKE("avx512f") int64_t avx512_dots(int64_t rounds) {
  VNNI(vector512, "v", "", 64)
}
/* tdpbusd on four sums: 16 by 16 by 64 a time. */
static LIKE("avx512f") int64_t amx_tiles(int64_t rounds) {
  uint8_t shape[64] = {1};
  for (int i = 0; i < 6; ++i) shape[16 + 2 * i] = 64, shape[48 + i] = 16;
  __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm4\n\ttilezero %%tmm5" : : "m"(shape));
  for (int64_t i = 0; i < rounds; ++i)
    __asm__ volatile(
        "tdpbusd %%tmm5, %%tmm4, %%tmm0\n\ttdpbusd %%tmm5, %%tmm4, %%tmm1\n\t"
        "tdpbusd %%tmm5, %%tmm4, %%tmm2\n\ttdpbusd %%tmm5, %%tmm4, %%tmm3" ::);
  __asm__ volatile("tilerelease" ::);
  return 4 * 16 * 16 * 64;
}

static LIKE("avx2") int64_t avx_dots(int64_t rounds) {
  VNNI(vector256, "x", "%{vex%} ", 32)
}
#endif

#if defined(__aarch64__)
typedef int8_t vector128 __attribute__((vector_size(16)));

/* smull, smlal2, sadalp: 16 a time. */
static int64_t neon_bytes(int64_t rounds) {
  vector128 s[8] = {{0}}, a = {0}, t[8];
  for (int64_t i = 0; i < rounds; ++i) {
#define NIBBLE_ONE(k)                                                                                 \
  __asm__ volatile("smull %1.8h, %2.8b, %2.8b\n\tsmlal2 %1.8h, %2.16b, %2.16b\n\tsadalp %0.4s, %1.8h" \
                   : "+w"(s[k]), "=&w"(t[k])                                                          \
                   : "w"(a));
    EIGHT_TIMES(NIBBLE_ONE)
#undef NIBBLE_ONE
  }
  return 8 * 16;
}

#define ARM_LOOP(name, arch, instruction, macs)                                 \
  static __attribute__((target(arch), noinline)) int64_t name(int64_t rounds) { \
    vector128 s[8] = {{0}}, a = {0};                                            \
    for (int64_t i = 0; i < rounds; ++i) {                                      \
      EIGHT_TIMES(instruction)                                                  \
    }                                                                           \
    return 8 * (macs);                                                          \
  }
#define SDOT(k) __asm__ volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(s[k]) : "w"(a));
#define SMMLA(k) __asm__ volatile("smmla %0.4s, %1.16b, %1.16b" : "+w"(s[k]) : "w"(a));
ARM_LOOP(neon_dots, "arch=armv8.2-a+dotprod", SDOT, 16)
ARM_LOOP(neon_matrices, "arch=armv8.2-a+i8mm", SMMLA, 32)
#endif

/* The instructions of each kernel set; where there are two ways, the faster one is the peak. */
static const struct {
  const char* set;
  peak_loop ways[2];
} loops[] = {{"reference", {scalar, NULL}},
             {"portable", {scalar, NULL}},
#if defined(__x86_64__)
             {"avx2", {avx2_bytes, avx2_words}},
             {"avxvnni", {avx_dots, NULL}},
             {"avx512vnni", {avx512_dots, NULL}},
             {"amx", {amx_tiles, NULL}},
#endif
#if defined(__aarch64__)
             {"neon", {neon_bytes, NULL}},
             {"neon_dot", {neon_dots, NULL}},
             {"i8mm", {neon_matrices, NULL}},
#endif
             {NULL, {NULL, NULL}}};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct rounds_of {
  peak_loop loop;
  int64_t rounds, each; /* each: multiply-accumulates of a round */
} rounds_of;

static void run_rounds(void* of, int share, int shares) {
  rounds_of* work = of;
  const int64_t each = work->loop(work->rounds);
  (void)shares;
  if (share == 0) work->each = each;
}

/* The fastest of several goes of some milliseconds. */
static double fastest(peak_loop loop, nibble_threads* threads, int count) {
  rounds_of work = {loop, 1 << 14, 0};
  double best = 0;
  for (int go = 0; go < 8; ++go) {
    const double begin = now();
    double seconds = 0, speed = 0;
    nibble_threads_run(threads, run_rounds, &work);
    seconds = now() - begin;
    if (seconds < 2e-3) {
      work.rounds *= 4;
      --go;
      continue;
    }
    speed = (double)work.rounds * (double)work.each * count / seconds;
    if (speed > best) best = speed;
  }
  return best;
}

double nibble_peak_operations(const char* set, int threads) {
  nibble_threads* own = nibble_threads_create(threads);
  double best = 0;
  for (int i = 0; own != NULL && loops[i].set != NULL; ++i) {
    if (strcmp(loops[i].set, set) != 0) continue;
    for (int way = 0; way < 2 && loops[i].ways[way] != NULL; ++way) {
      const double speed = fastest(loops[i].ways[way], own, threads);
      if (speed > best) best = speed;
    }
  }
  nibble_threads_release(own);
  return best;
}

typedef uint64_t words __attribute__((vector_size(32)));
enum { memory_bytes = 256 << 20 };

static void read_share(void* of, int share, int shares) {
  const int64_t count = memory_bytes / (int64_t)sizeof(words);
  const words *at = (const words*)of + count * share / shares, *end = (const words*)of + count * (share + 1) / shares;
  words a = {0}, b = a, c = a, d = a;
  for (; at + 4 <= end; at += 4) a |= at[0], b |= at[1], c |= at[2], d |= at[3];
  a |= b | c | d;
  __asm__ volatile("" : : "m"(a));
}

double nibble_peak_bandwidth(int threads) {
  nibble_threads* own = nibble_threads_create(threads);
  void* memory = aligned_alloc(64, memory_bytes);
  double best = 0;
  if (own != NULL && memory != NULL) {
    memset(memory, 1, memory_bytes);
    for (int go = 0; go < 4; ++go) {
      const double begin = now();
      double speed = 0;
      nibble_threads_run(own, read_share, memory);
      speed = memory_bytes / (now() - begin);
      if (speed > best) best = speed;
    }
  }
  free(memory);
  nibble_threads_release(own);
  return best;
}
