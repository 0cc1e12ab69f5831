/* Prints a hash of the bits of sound features and of functions of reals: bits.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processing/real.h"
#include "unit/processing/sound_cases.h"

static uint64_t hash = 14695981039346656037u;

static void add(const void* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) hash = (hash ^ ((const unsigned char*)bytes)[i]) * 1099511628211u;
}

static void add_features(const nibble_sound_features* f, int32_t count) {
  int16_t* samples = malloc((size_t)count * sizeof *samples);
  const size_t values = (size_t)(nibble_sound_frames(f, count) * nibble_sound_values(f));
  const nibble_sound sound = {NULL, samples, count};
  void *tables = malloc(nibble_sound_table_bytes(f)), *scratch = malloc(nibble_sound_scratch(f, count));
  float* out = malloc(values * sizeof *out);
  fill_sound(samples, count);
  nibble_sound_tables(f, tables);
  nibble_sound_compute(f, tables, &sound, scratch, out);
  add(out, values * sizeof *out);
  free(samples), free(tables), free(scratch), free(out);
}

static void add_reals(void) {
  for (int i = -300; i <= 300; ++i) {
    const double x = i * 0.173 + 0.01,
                 of[] = {nibble_exp(x),      nibble_log(x * x),      nibble_logistic(x),     nibble_tanh(x / 9),
                         nibble_atan2(x, 7), nibble_asin(i / 300.0), nibble_cos_turns(i, 97)};
    add(of, sizeof of);
  }
}

int main(void) {
  add_features(&kws_features, 16000);
  add_features(&ad_features, 16000);
  add_features(&mfcc_features, 5000);
  add_features(&htk_features, 5000);
  add_features(&log_mel_features, 5000);
  add_features(&power_features, 5000);
  const nibble_sound_features* with_logarithm[] = {&kws_features, &ad_features, &mfcc_features, &htk_features,
                                                   &log_mel_features};
  for (int i = 0; i < 5; ++i) {
    nibble_sound_features by_integers = *with_logarithm[i];
    by_integers.arithmetic = NIBBLE_BY_INTEGERS;
    add_features(&by_integers, 5000);
  }
  add_reals();
  printf("%016llx\n", (unsigned long long)hash);
  return 0;
}
