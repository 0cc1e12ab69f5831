/* Prints a hash of the bits of sound features, of functions of reals, and of boxes and landmarks by integers: bits.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processing/fixed_detect.h"
#include "processing/fixed_landmarks.h"
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

static int32_t drawn(uint32_t* state, int32_t low, int32_t high) {
  *state = *state * 1664525u + 1013904223u;
  return low + (int32_t)((*state >> 8) % (uint32_t)(high - low + 1));
}

/* Heads of 2 anchors and 3 classes on 5 x 5 cells, numbers of 8 bits up to 3 and of SSD up to 4. */
static void add_boxes(nibble_yolo_form form, nibble_scores scores) {
  static const int32_t sizes[] = {655360, 1310720, 2000000, 900000}, anchors[] = {999999, 888888, 777777, 666666};
  const nibble_factor octaves = {1566454848, 14}, places = {805306368, 13};
  const int32_t bins = form == NIBBLE_YOLO_V8 ? 4 : 1, planes = 2 * (16 + 5 + 3);
  const nibble_fixed_scores by = {scores, octaves, 400000000, -20};
  const nibble_fixed_yolo yolo = {form, {-1, 3}, 1,     5 * planes, planes, 5,       5, 2,
                                  3,    bins,    sizes, 524288,     places, octaves, by};
  const nibble_fixed_ssd ssd = {{-1, 3}, {-1, 0}, 4, 1, 4, 1, anchors, 1, 4, 0, 1, places, octaves, by};
  nibble_fixed_object room[40];
  int8_t levels[25 * 2 * (16 + 5 + 3)];
  uint32_t state = 7;
  for (int round = 0; round < 50; ++round) {
    nibble_fixed_objects objects = {room, 0, 40, 0};
    for (size_t i = 0; i < sizeof levels; ++i) levels[i] = (int8_t)drawn(&state, -128, 127);
    nibble_fixed_decode_yolo(&yolo, levels, &objects);
    nibble_fixed_decode_ssd(&ssd, levels, levels + 4, &objects);
    nibble_fixed_suppress(&objects, 900000000, round % 2, 20);
    add(room, (size_t)objects.count * sizeof *room);
    add(&objects.left_out, sizeof objects.left_out);
  }
}

static void add_landmarks(void) {
  nibble_fixed_parameter parameters[20];
  int32_t average[30], basis[30 * 8], landmarks[20], levels[20];
  int64_t p[20];
  uint32_t state = 9;
  const nibble_fixed_face face = {parameters, average, basis, 10, 8, 33, 7864320};
  for (int k = 0; k < 20; ++k) {
    const nibble_factor by = {drawn(&state, 536870912, 1073741823), k < 12 && k % 4 == 3 ? 36 : 21};
    parameters[k].by = by;
    parameters[k].mean = drawn(&state, -1000000, 1000000);
  }
  for (int i = 0; i < 30; ++i) average[i] = drawn(&state, -8000000, 8000000) * 20;
  for (int i = 0; i < 240; ++i) basis[i] = drawn(&state, -8000000, 8000000) * 12;
  for (int round = 0; round < 100; ++round) {
    for (int k = 0; k < 20; ++k) levels[k] = drawn(&state, -1000000, 1000000);
    nibble_integers lie = {-4, 5};
    nibble_fixed_landmarks(&face, lie, levels, p, landmarks);
    add(landmarks, sizeof landmarks);
    for (int k = 0; k < 20; ++k) {
      const int32_t place = nibble_place_in_picture(landmarks[k], 3, 48, -7, 1000);
      add(&place, sizeof place);
    }
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
  for (int form = 0; form < 4; ++form)
    for (int scores = 0; scores < 3; ++scores) add_boxes((nibble_yolo_form)form, (nibble_scores)scores);
  add_landmarks();
  printf("%016llx\n", (unsigned long long)hash);
  return 0;
}
