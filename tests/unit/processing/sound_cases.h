#ifndef NIBBLE_SOUND_CASES_H
#define NIBBLE_SOUND_CASES_H
#include "processing/sound.h"

/* Sounds and features of sound_reference.py, for C too. */

static int16_t sound_sample(uint32_t* state, int32_t i) {
  const int64_t at = i, phase = (at * at / 16 + 40 * at) % 2000;
  *state = *state * 1664525u + 1013904223u;
  return (int16_t)(12 * ((phase < 1000 ? 1000 - phase : phase - 1000) - 500) + (int32_t)(*state >> 20) - 2048);
}

static void fill_sound(int16_t* samples, int32_t count) {
  uint32_t state = 1;
  for (int32_t i = 0; i < count; ++i) samples[i] = sound_sample(&state, i);
}

/* clang-format off */
/* rate, by_largest, window_length, hop, transform, window, symmetric, frame, padding, power,
 * bands, low, high, mel, triangles, area, logarithm, floor, floor_added, top, coefficients, dct, gain, offset, arithmetic */
static const nibble_sound_features kws_features = {
    16000, 1, 480, 320, 512, NIBBLE_HANN, 0, NIBBLE_FRAME_OF_WINDOW, NIBBLE_NO_PADDING, 1,
    40, 20, 4000, NIBBLE_MEL_HTK, NIBBLE_TRIANGLES_IN_MEL, 0, NIBBLE_NATURAL, 1e-6, 1, 0, 10, NIBBLE_DCT_TENSORFLOW, 1, 0, NIBBLE_BY_REALS};
static const nibble_sound_features ad_features = {
    16000, 0, 1024, 512, 1024, NIBBLE_HANN, 0, NIBBLE_FRAME_OF_TRANSFORM, NIBBLE_NO_PADDING, 2,
    128, 0, 8000, NIBBLE_MEL_SLANEY, NIBBLE_TRIANGLES_IN_HERTZ, 1, NIBBLE_DECIBEL, 0x1p-52, 1, 0, 0, NIBBLE_DCT_ORTHONORMAL, 1, 0, NIBBLE_BY_REALS};
static const nibble_sound_features mfcc_features = {
    8000, 0, 200, 128, 256, NIBBLE_HANN, 0, NIBBLE_FRAME_OF_TRANSFORM, NIBBLE_PAD_MIRRORED, 2,
    20, 0, 4000, NIBBLE_MEL_SLANEY, NIBBLE_TRIANGLES_IN_HERTZ, 1, NIBBLE_DECIBEL, 1e-10, 0, 30, 8, NIBBLE_DCT_ORTHONORMAL, 1, 0, NIBBLE_BY_REALS};
static const nibble_sound_features htk_features = {
    8000, 0, 199, 100, 256, NIBBLE_HAMMING, 1, NIBBLE_FRAME_OF_TRANSFORM, NIBBLE_PAD_ZEROS, 1,
    12, 100, 3500, NIBBLE_MEL_HTK, NIBBLE_TRIANGLES_IN_HERTZ, 0, NIBBLE_NATURAL, 0.01, 0, 0, 0, NIBBLE_DCT_ORTHONORMAL, 1, 0, NIBBLE_BY_REALS};
static const nibble_sound_features log_mel_features = {
    16000, 0, 400, 160, 512, NIBBLE_RECTANGULAR, 0, NIBBLE_FRAME_OF_WINDOW, NIBBLE_NO_PADDING, 1,
    64, 125, 7500, NIBBLE_MEL_HTK, NIBBLE_TRIANGLES_IN_MEL, 0, NIBBLE_NATURAL, 0.001, 1, 0, 0, NIBBLE_DCT_ORTHONORMAL, 0.5, 1.5, NIBBLE_BY_REALS};
static const nibble_sound_features power_features = {
    8000, 0, 64, 33, 64, NIBBLE_HANN, 0, NIBBLE_FRAME_OF_WINDOW, NIBBLE_NO_PADDING, 2,
    6, 0, 4000, NIBBLE_MEL_HTK, NIBBLE_TRIANGLES_IN_MEL, 0, NIBBLE_NO_LOGARITHM, 0, 0, 0, 6, NIBBLE_DCT_TENSORFLOW, 1, 0, NIBBLE_BY_REALS};
/* clang-format on */

#endif
