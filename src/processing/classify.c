#include "processing/classify.h"

#include "processing/real.h"

void nibble_softmax(const float* x, int64_t count, int64_t step, double* out) {
  float most = x[0];
  double sum = 0;
  for (int64_t i = 1; i < count; ++i)
    if (x[i * step] > most) most = x[i * step];
  for (int64_t i = 0; i < count; ++i) {
    out[i] = nibble_exp((double)x[i * step] - most);
    sum += out[i];
  }
  for (int64_t i = 0; i < count; ++i) out[i] /= sum;
}

int64_t nibble_largest(const double* values, int64_t count, int64_t most, int32_t* index) {
  int64_t found = 0;
  for (int64_t i = 0; i < count && most > 0; ++i) {
    int64_t at = found;
    while (at > 0 && values[i] > values[index[at - 1]]) --at;
    if (at >= most) continue;
    if (found < most) ++found;
    for (int64_t k = found - 1; k > at; --k) index[k] = index[k - 1];
    index[at] = (int32_t)i;
  }
  return found;
}

void nibble_largest_plane(const float* values, int32_t planes, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    int32_t best = 0;
    for (int32_t p = 1; p < planes; ++p)
      if (values[p * count + i] > values[best * count + i]) best = p;
    out[i] = (uint8_t)best;
  }
}

double nibble_mean_square_difference(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double difference = (double)a[i] - (double)b[i];
    sum += difference * difference;
  }
  return sum / (double)count;
}
