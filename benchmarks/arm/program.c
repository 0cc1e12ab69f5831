/* A program under an emulator, one thread, on pseudorandom inputs, by the kernels of SET and by back ends:
 *
 *   program check FILE.nib SET BACKEND...   compares three runs with the reference's
 *   program count FILE.nib SET BACKEND...   prints a line a step, "step INDEX NAME SET KERNEL WHY" with tabs between, and
 *                                           asks the clock before the first step of a run and after each: this program's
 *                                           own, whose address is what marks a step for a plugin that counts (count.c)
 *
 * The last line is "equal" or "counted". */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/nibble.h"

int clock_gettime(clockid_t which, struct timespec* now) {
  (void)which;
  now->tv_sec = now->tv_nsec = 0;
  return 0;
}

static int fails(const char* what, const char* why) {
  fprintf(stderr, "program: %s: %s\n", what, why);
  return 1;
}

static uint64_t state;
static int64_t number(int64_t low, int64_t high) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return low + (int64_t)((state >> 33) % (uint64_t)(high - low + 1));
}

static int set_inputs(const nibble_program* program, nibble_context* context, uint64_t seed) {
  static const int sizes[] = {0, 1, 1, 2, 2, 4, 8, 8};
  state = seed;
  for (size_t i = 0; i < nibble_inputs(program); ++i) {
    nibble_port port;
    unsigned char* data = NULL;
    nibble_input(program, i, &port);
    data = calloc(port.bytes + 8, 1);
    for (size_t k = 0; k < port.elements; ++k) {
      const int64_t q = number(port.low, port.high);
      memcpy(data + k * (size_t)sizes[port.type], &q, (size_t)sizes[port.type]);
    }
    if (port.type == 7 || nibble_set(context, i, data) != NIBBLE_OK) return fails(port.name, "is no input of integers");
    free(data);
  }
  return 0;
}

/* The bytes of all outputs. */
static unsigned char* outputs(const nibble_program* program, nibble_context* context, size_t* bytes) {
  nibble_port port;
  unsigned char* all = NULL;
  size_t at = 0;
  *bytes = 0;
  for (size_t i = 0; i < nibble_outputs(program); ++i) nibble_output(program, i, &port), *bytes += port.bytes;
  all = malloc(*bytes + 1);
  for (size_t i = 0; i < nibble_outputs(program); ++i, at += port.bytes) {
    nibble_output(program, i, &port);
    nibble_get(context, i, all + at);
  }
  return all;
}

static unsigned char* result(const nibble_program* program, nibble_context* context, uint64_t seed, size_t* bytes) {
  if (set_inputs(program, context, seed) != 0) return NULL;
  if (nibble_run(context) != NIBBLE_OK) return NULL;
  return outputs(program, context, bytes);
}

static void show_steps(const nibble_program* program) {
  for (size_t i = 0; i < nibble_steps(program); ++i) {
    nibble_step_info info;
    nibble_step(program, i, &info);
    printf("step\t%zu\t%s\t%s\t%s\t%s\n", i, info.name, info.set, info.kernel, info.why);
  }
}

/* Whether three runs of both give the same bytes. */
static int is_equal(const nibble_program* one, nibble_context* by_one, const nibble_program* two,
                    nibble_context* by_two) {
  int equal = 1;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    size_t bytes = 0;
    unsigned char *wanted = result(one, by_one, seed, &bytes), *found = result(two, by_two, seed, &bytes);
    equal &= (wanted == NULL) == (found == NULL) && (wanted == NULL || memcmp(wanted, found, bytes) == 0);
    free(wanted);
    free(found);
  }
  return equal;
}

/* The steps that a back end alone makes another of, where all together do. */
static void show_culprits(const char* file, const char* set, const char* backend, const nibble_program* specification,
                          nibble_context* by_reference) {
  for (size_t i = 0; i < nibble_steps(specification); ++i) {
    nibble_program* program = NULL;
    nibble_context* context = NULL;
    nibble_step_info info;
    char message[256] = "";
    unsigned char* chosen = calloc(nibble_steps(specification), 1);
    chosen[i] = 1;
    if (nibble_open(file, set, &program, message, sizeof message) == NIBBLE_OK &&
        nibble_use_backend(program, backend, chosen, message, sizeof message) == NIBBLE_OK &&
        nibble_context_create(program, 1, &context) == NIBBLE_OK &&
        !is_equal(specification, by_reference, program, context)) {
      nibble_step(program, i, &info);
      printf("other integers by step %zu, %s, of %s/%s\n", i, info.name, info.set, info.kernel);
    }
    nibble_context_release(context);
    nibble_release(program);
    free(chosen);
  }
}

static int check(char** word, int words, const nibble_program* program, nibble_context* context) {
  nibble_program* specification = NULL;
  nibble_context* by_reference = NULL;
  char message[256] = "";
  int equal = 0;
  if (nibble_open(word[2], "reference", &specification, message, sizeof message) != NIBBLE_OK)
    return fails(word[2], message);
  if (nibble_context_create(specification, 1, &by_reference) != NIBBLE_OK) return fails(word[2], "no memory");
  equal = is_equal(specification, by_reference, program, context);
  for (int i = 4; i < words && !equal; ++i) show_culprits(word[2], word[3], word[i], specification, by_reference);
  nibble_context_release(by_reference);
  nibble_release(specification);
  if (!equal) return fails(word[2], "other integers than the reference's");
  puts("equal");
  return 0;
}

/* A run to warm up, then the one whose steps are marked. */
static int count(const nibble_program* program, nibble_context* context) {
  double* seconds = calloc(nibble_steps(program) + 1, sizeof *seconds);
  size_t bytes = 0;
  free(result(program, context, 1, &bytes));
  if (set_inputs(program, context, 1) != 0) return 1;
  nibble_time(context, seconds);
  nibble_run(context);
  free(seconds);
  puts("counted");
  return 0;
}

int main(int words, char** word) {
  nibble_program* program = NULL;
  nibble_context* context = NULL;
  char message[256] = "";
  int status = 0;
  if (words < 4) return fails("usage", "program check|count FILE.nib SET BACKEND...");
  if (nibble_open(word[2], word[3], &program, message, sizeof message) != NIBBLE_OK) return fails(word[2], message);
  for (int i = 4; i < words; ++i)
    if (nibble_use_backend(program, word[i], NULL, message, sizeof message) != NIBBLE_OK)
      return fails(word[i], message);
  if (nibble_context_create(program, 1, &context) != NIBBLE_OK) return fails(word[2], "no memory");
  show_steps(program);
  fflush(stdout);
  status = strcmp(word[1], "check") == 0 ? check(word, words, program, context) : count(program, context);
  nibble_context_release(context);
  nibble_release(program);
  return status;
}
