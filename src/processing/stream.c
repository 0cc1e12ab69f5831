#include "processing/stream.h"

#include <string.h>

void nibble_windows_start(nibble_windows* w, float* samples, int32_t length, int32_t hop) {
  w->samples = samples;
  w->length = length;
  w->hop = hop;
  w->filled = 0;
}

int64_t nibble_windows_take(nibble_windows* w, const float* samples, int64_t count) {
  int64_t passed = 0, taken;
  if (w->filled == w->length) {
    w->filled = w->length - w->hop;
    if (w->filled > 0) memmove(w->samples, w->samples + w->hop, (size_t)w->filled * sizeof(float));
  }
  if (w->filled < 0) {
    passed = count < -(int64_t)w->filled ? count : -(int64_t)w->filled;
    w->filled += (int32_t)passed;
    if (w->filled < 0) return passed;
  }
  taken = count - passed < w->length - w->filled ? count - passed : w->length - w->filled;
  if (taken > 0) memcpy(w->samples + w->filled, samples + passed, (size_t)taken * sizeof(float));
  w->filled += (int32_t)taken;
  return passed + taken;
}

void nibble_smoothing_start(nibble_smoothing* s, float* results, int32_t windows, int32_t classes) {
  s->results = results;
  s->windows = windows;
  s->classes = classes;
  s->kept = s->next = 0;
}

void nibble_smoothing_add(nibble_smoothing* s, const float* result, float* means) {
  memcpy(s->results + (int64_t)s->next * s->classes, result, (size_t)s->classes * sizeof(float));
  s->next = s->next + 1 == s->windows ? 0 : s->next + 1;
  if (s->kept < s->windows) ++s->kept;
  for (int32_t c = 0; c < s->classes; ++c) {
    double sum = 0;
    for (int32_t i = 0; i < s->kept; ++i) { /* the oldest stands at `next` once all places are taken */
      const int32_t at = s->kept < s->windows ? i : (s->next + i) % s->windows;
      sum += s->results[(int64_t)at * s->classes + c];
    }
    means[c] = (float)(sum / s->kept);
  }
}
