#include "processing/sound.h"

#include <math.h>

#include "processing/real.h"

static int power_of_two_within(int32_t n, int32_t least, int32_t most) {
  return n >= least && n <= most && (n & (n - 1)) == 0;
}

static int flag(int32_t value) {
  return value == 0 || value == 1;
}

static int finite_at_least(double x, double least) {
  return x >= least && x <= 1e300;
}

const char* nibble_sound_fault(const nibble_sound_features* f) {
  if (f->rate < 1 || f->rate > 1000000) return "rate";
  if (!flag(f->by_largest)) return "by_largest";
  if (!power_of_two_within(f->transform, 4, 32768)) return "transform";
  if (f->window_length < 1 || f->window_length > f->transform) return "window_length";
  if (f->hop < 1) return "hop";
  if ((unsigned)f->window > NIBBLE_HAMMING) return "window";
  if (!flag(f->symmetric)) return "symmetric";
  if ((unsigned)f->frame > NIBBLE_FRAME_OF_TRANSFORM) return "frame";
  if ((unsigned)f->padding > NIBBLE_PAD_MIRRORED) return "padding";
  if (f->power != 1 && f->power != 2) return "power";
  if (f->bands < 1 || f->bands > 1024) return "bands";
  if (!(f->low >= 0 && f->low <= f->rate)) return "low";
  if (!(f->high >= f->low + 1 && f->high <= f->rate / 2.0)) return "high";
  if ((unsigned)f->mel > NIBBLE_MEL_SLANEY) return "mel";
  if ((unsigned)f->triangles > NIBBLE_TRIANGLES_IN_MEL) return "triangles";
  if (!flag(f->area)) return "area";
  if ((unsigned)f->logarithm > NIBBLE_DECIBEL) return "logarithm";
  if (f->logarithm != NIBBLE_NO_LOGARITHM && !finite_at_least(f->floor, 1e-300)) return "floor";
  if (!flag(f->floor_added)) return "floor_added";
  if (!finite_at_least(f->top, 0)) return "top";
  if (f->coefficients < 0 || f->coefficients > f->bands) return "coefficients";
  if ((unsigned)f->dct > NIBBLE_DCT_TENSORFLOW) return "dct";
  if (!finite_at_least(f->gain, -1e300)) return "gain";
  if (!finite_at_least(f->offset, -1e300)) return "offset";
  if ((unsigned)f->arithmetic > NIBBLE_BY_INTEGERS) return "arithmetic";
  if (f->arithmetic == NIBBLE_BY_INTEGERS &&
      (f->logarithm == NIBBLE_NO_LOGARITHM || !(f->floor >= 1e-30 && f->floor <= 1e9)))
    return "arithmetic";
  return NULL;
}

static int32_t frame_length(const nibble_sound_features* f) {
  return f->frame == NIBBLE_FRAME_OF_TRANSFORM ? f->transform : f->window_length;
}

/* Samples of a frame before its window. */
static int32_t before_window(const nibble_sound_features* f) {
  return f->frame == NIBBLE_FRAME_OF_TRANSFORM ? (f->transform - f->window_length) / 2 : 0;
}

static int32_t padding_before(const nibble_sound_features* f) {
  return f->padding == NIBBLE_NO_PADDING ? 0 : frame_length(f) / 2;
}

int64_t nibble_sound_frames(const nibble_sound_features* f, int64_t samples) {
  const int64_t whole = samples + 2 * (int64_t)padding_before(f);
  return samples < 1 || whole < frame_length(f) ? 0 : 1 + (whole - frame_length(f)) / f->hop;
}

float nibble_sound_real(const nibble_sound_features* f, int32_t value) {
  return (float)(f->gain * (value / 65536.0) + f->offset);
}

int32_t nibble_sound_values(const nibble_sound_features* f) {
  return f->coefficients > 0 ? f->coefficients : f->bands;
}

static size_t bins_of(const nibble_sound_features* f) {
  return (size_t)f->transform / 2 + 1;
}

/* Where what stands in the tables, in doubles. A band's weights are those of `spans[2 b + 1]` bins from bin
 * `spans[2 b]` on, one band's behind another's: a bin lies in two triangles at most. Integers made of them stand
 * behind. */
typedef struct layout {
  size_t turns, weights, cosines, spans, integers, end; /* the window stands first */
} layout;

static layout layout_of(const nibble_sound_features* f) {
  layout at;
  at.turns = (size_t)f->window_length;
  at.weights = at.turns + (size_t)f->transform;
  at.cosines = at.weights + 2 * bins_of(f);
  at.spans = at.cosines + (size_t)f->coefficients * (size_t)f->bands;
  at.end = at.integers = at.spans + (size_t)f->bands; /* two int32_t a band */
  if (f->arithmetic == NIBBLE_BY_INTEGERS)            /* of the turns and cosines 4 bytes, of the rest 2 */
    at.end += ((size_t)f->transform + (at.spans - at.cosines) + 1) / 2 + (at.cosines - at.weights + at.turns + 3) / 4;
  return at;
}

size_t nibble_sound_table_bytes(const nibble_sound_features* f) {
  return layout_of(f).end * sizeof(double);
}

static void fill_window(const nibble_sound_features* f, double* window) {
  const double mean = f->window == NIBBLE_HANN ? 0.5 : 0.54;
  const int32_t whole = f->window_length - f->symmetric;
  for (int32_t i = 0; i < f->window_length; ++i)
    window[i] = f->window == NIBBLE_RECTANGULAR || whole == 0 ? 1 : mean - (1 - mean) * nibble_cos_turns(i, whole);
}

static const double slaney_edge = 1000, slaney_below = 3.0 / 200;

static double mel_of(nibble_mel_scale scale, double hertz) {
  if (scale == NIBBLE_MEL_HTK) return 2595 / nibble_log(10) * nibble_log(1 + hertz / 700);
  if (hertz < slaney_edge) return hertz * slaney_below;
  return 15 + 27 / nibble_log(6.4) * nibble_log(hertz / slaney_edge);
}

static double hertz_of(nibble_mel_scale scale, double mel) {
  if (scale == NIBBLE_MEL_HTK) return 700 * (nibble_exp(mel * nibble_log(10) / 2595) - 1);
  if (mel < 15) return mel / slaney_below;
  return slaney_edge * nibble_exp((mel - 15) * nibble_log(6.4) / 27);
}

static double smaller(double a, double b) {
  return a < b ? a : b;
}

/* Band b's triangle stands on three of bands + 2 places, equally far from each other in mel from low to high. */
static void fill_bands(const nibble_sound_features* f, double* weights, int32_t* spans) {
  const double low = mel_of(f->mel, f->low), high = mel_of(f->mel, f->high);
  const int32_t half = f->transform / 2;
  for (int32_t b = 0; b < f->bands; ++b) {
    double hertz[3], place[3];
    int32_t first = 0, count = 0;
    for (int32_t i = 0; i < 3; ++i) {
      const double mel = low + (high - low) * (b + i) / (f->bands + 1);
      hertz[i] = hertz_of(f->mel, mel);
      place[i] = f->triangles == NIBBLE_TRIANGLES_IN_MEL ? mel : hertz[i];
    }
    for (int32_t k = f->triangles == NIBBLE_TRIANGLES_IN_MEL ? 1 : 0; k <= half; ++k) {
      const double bin = (double)k * f->rate / f->transform;
      const double at = f->triangles == NIBBLE_TRIANGLES_IN_MEL ? mel_of(f->mel, bin) : bin;
      if (at <= place[0]) continue;
      if (at >= place[2]) break;
      if (count == 0) first = k;
      weights[count] = smaller((at - place[0]) / (place[1] - place[0]), (place[2] - at) / (place[2] - place[1]));
      if (f->area) weights[count] *= 2 / (hertz[2] - hertz[0]);
      ++count;
    }
    *spans++ = first;
    *spans++ = count;
    weights += count;
  }
}

static void fill_cosines(const nibble_sound_features* f, double* cosines) {
  for (int32_t k = 0; k < f->coefficients; ++k) {
    const double c = sqrt((k == 0 && f->dct == NIBBLE_DCT_ORTHONORMAL ? 1.0 : 2.0) / f->bands);
    for (int32_t m = 0; m < f->bands; ++m) *cosines++ = c * nibble_cos_turns((long)k * (2 * m + 1), 4L * f->bands);
  }
}

static void fill_turns(int32_t transform, double* turns) {
  for (int32_t k = 0; k < transform / 2; ++k) {
    turns[2 * k] = nibble_cos_turns(k, transform);
    turns[2 * k + 1] = nibble_sin_turns(k, transform);
  }
}

static int32_t integer(double x) {
  return (int32_t)floor(x + 0.5);
}

/* By what power of two weights are multiplied, so that the largest has 16 bits. */
static int32_t weight_scale(const double* weights, size_t count) {
  double largest = 0;
  int32_t scale = 0;
  for (size_t i = 0; i < count; ++i)
    if (weights[i] > largest) largest = weights[i];
  for (; largest > 65535; largest /= 2) --scale;
  for (; largest > 0 && largest * 2 <= 65535; largest *= 2) ++scale;
  return scale;
}

static size_t weights_of(const nibble_sound_features* f, const int32_t* spans) {
  size_t count = 0;
  for (int32_t b = 0; b < f->bands; ++b) count += (size_t)spans[2 * b + 1];
  return count;
}

void nibble_sound_plan_of(const nibble_sound_features* f, const void* tables, nibble_sound_plan* p) {
  const layout at = layout_of(f);
  const double* const base = (const double*)tables;
  const int32_t* const spans = (const int32_t*)(const void*)(base + at.spans);
  const int32_t before = before_window(f);
  double floor_value = f->floor;
  int32_t exponent = 0;
  for (; floor_value >= 0x1p31; floor_value /= 2) ++exponent;
  for (; floor_value < 0x1p30; floor_value *= 2) --exponent;
  p->window_length = f->window_length, p->hop = f->hop, p->transform = f->transform;
  p->before = before, p->first = before - padding_before(f), p->padding = f->padding;
  p->power = f->power, p->bands = f->bands, p->coefficients = f->coefficients;
  p->by_largest = f->by_largest, p->floor_added = f->floor_added;
  p->floor = (uint32_t)floor_value, p->floor_exponent = exponent;
  p->top = f->top > 0 ? integer(smaller(f->top, 30000) * 0x1p16) : 0;
  if (f->top > 0 && p->top == 0) p->top = 1;
  p->of_logarithm =
      integer((f->logarithm == NIBBLE_NATURAL ? nibble_log(2) : 10 * nibble_log(2) / nibble_log(10)) * 0x1p28);
  p->weight_scale = weight_scale(base + at.weights, weights_of(f, spans));
  p->turns = (const int32_t*)(const void*)(base + at.integers), p->cosines = p->turns + f->transform;
  p->window = (const uint16_t*)(const void*)(p->cosines + (at.spans - at.cosines));
  p->weights = p->window + f->window_length, p->spans = spans;
}

static void fill_integers(const nibble_sound_features* f, void* tables) {
  const layout at = layout_of(f);
  const double* const base = (const double*)tables;
  nibble_sound_plan p;
  nibble_sound_plan_of(f, tables, &p);
  /* Where the plan reads them. */
  int32_t *const turns = (int32_t*)(uintptr_t)p.turns, *const cosines = (int32_t*)(uintptr_t)p.cosines;
  uint16_t *const window = (uint16_t*)(uintptr_t)p.window, *const weights = (uint16_t*)(uintptr_t)p.weights;
  for (int32_t i = 0; i < f->transform; ++i) turns[i] = integer(base[at.turns + (size_t)i] * 0x1p30);
  for (size_t i = 0; i < at.spans - at.cosines; ++i) cosines[i] = integer(base[at.cosines + i] * 0x1p30);
  for (int32_t i = 0; i < f->window_length; ++i) window[i] = (uint16_t)integer(base[i] * 0x1p15);
  double unit = 1;
  for (int32_t i = 0; i < p.weight_scale; ++i) unit *= 2;
  for (int32_t i = 0; i > p.weight_scale; --i) unit /= 2;
  for (size_t i = 0; i < weights_of(f, p.spans); ++i) weights[i] = (uint16_t)integer(base[at.weights + i] * unit);
}

void nibble_sound_tables(const nibble_sound_features* f, void* tables) {
  const layout at = layout_of(f);
  double* const base = (double*)tables;
  fill_window(f, base);
  fill_turns(f->transform, base + at.turns);
  fill_bands(f, base + at.weights, (int32_t*)(void*)(base + at.spans));
  fill_cosines(f, base + at.cosines);
  if (f->arithmetic == NIBBLE_BY_INTEGERS) fill_integers(f, tables);
}

/* Where what stands in the scratch of integers, in bytes: what nibble_fixed_sound takes, samples, values. */
typedef struct integer_room {
  size_t samples, values, end;
} integer_room;

static integer_room integer_room_of(const nibble_sound_features* f, int64_t samples) {
  const nibble_sound_plan plan = {.transform = f->transform, .bands = f->bands, .top = f->top > 0};
  const int64_t frames = nibble_sound_frames(f, samples);
  integer_room at;
  at.samples = nibble_fixed_sound_scratch(&plan, frames);
  at.values = at.samples + ((size_t)samples + 3) / 4 * 8;
  at.end = at.values + ((size_t)(frames * nibble_sound_values(f)) + 1) / 2 * 8;
  return at;
}

size_t nibble_sound_scratch(const nibble_sound_features* f, int64_t samples) {
  if (f->arithmetic == NIBBLE_BY_INTEGERS) return integer_room_of(f, samples).end;
  const size_t frames = f->top > 0 ? (size_t)nibble_sound_frames(f, samples) : 1;
  return ((size_t)f->transform + bins_of(f) + (frames > 0 ? frames : 1) * (size_t)f->bands) * sizeof(double);
}

static double sample_at(const nibble_sound* sound, int64_t i) {
  return sound->reals ? sound->reals[i] : sound->integers[i] / 32768.0;
}

static double padded_sample(const nibble_sound_features* f, const nibble_sound* sound, int64_t i) {
  i = nibble_sound_index(f->padding, sound->count, i);
  return i < 0 ? 0 : sample_at(sound, i);
}

static double largest_sample(const nibble_sound* sound) {
  double largest = 0;
  for (int64_t i = 0; i < sound->count; ++i)
    if (sample_at(sound, i) > largest) largest = sample_at(sound, i);
  return largest;
}

static void load_frame(const nibble_sound_features* f, const double* window, const nibble_sound* sound, int64_t frame,
                       double divisor, double* out) {
  const int32_t before = before_window(f);
  const int64_t from = frame * f->hop - padding_before(f);
  for (int32_t i = 0; i < f->transform; ++i) {
    const int32_t w = i - before;
    out[i] = w >= 0 && w < f->window_length ? padded_sample(f, sound, from + i) / divisor * window[w] : 0;
  }
}

static void swap(double* a, double* b) {
  const double held = *a;
  *a = *b;
  *b = held;
}

/* z of `count` complex numbers by its discrete Fourier transform. turns[2 k], turns[2 k + 1] are cosine and sine of
 * k / (2 count) turns. */
static void transform_complex(double* z, int32_t count, const double* turns) {
  for (int32_t i = 1, j = 0; i < count; ++i) { /* j: the bits of i from the other end */
    int32_t bit = count / 2;
    for (; j & bit; bit /= 2) j -= bit;
    j += bit;
    if (i < j) {
      swap(z + 2 * i, z + 2 * j);
      swap(z + 2 * i + 1, z + 2 * j + 1);
    }
  }
  for (int32_t half = 1; half < count; half *= 2)
    for (int32_t k = 0; k < half; ++k) {
      const double* turn = turns + 2 * (int64_t)k * (count / half);
      for (int32_t i = k; i < count; i += 2 * half) {
        double *a = z + 2 * i, *b = z + 2 * (i + half);
        const double real = b[0] * turn[0] + b[1] * turn[1], imaginary = b[1] * turn[0] - b[0] * turn[1];
        b[0] = a[0] - real;
        b[1] = a[1] - imaginary;
        a[0] += real;
        a[1] += imaginary;
      }
    }
}

/* The magnitudes (or their squares) of a real frame's bins: its even samples and its odd ones go through one complex
 * transform of half the length. */
static void spectrum_of(const nibble_sound_features* f, const double* turns, double* frame, double* spectrum) {
  const int32_t half = f->transform / 2;
  transform_complex(frame, half, turns);
  for (int32_t k = 0; k <= half; ++k) {
    const double *a = frame + 2 * (k % half), *b = frame + 2 * ((half - k) % half);
    const double cosine = k == half ? -1 : turns[2 * k], sine = k == half ? 0 : turns[2 * k + 1];
    const double even_real = a[0] + b[0], even_imaginary = a[1] - b[1];
    const double odd_real = a[1] + b[1], odd_imaginary = b[0] - a[0];
    const double real = (even_real + (odd_real * cosine + odd_imaginary * sine)) / 2;
    const double imaginary = (even_imaginary + (odd_imaginary * cosine - odd_real * sine)) / 2;
    const double square = real * real + imaginary * imaginary;
    spectrum[k] = f->power == 2 ? square : sqrt(square);
  }
}

static double logarithm_of(const nibble_sound_features* f, double band) {
  if (f->logarithm == NIBBLE_NO_LOGARITHM) return band;
  band = f->floor_added ? band + f->floor : band < f->floor ? f->floor : band;
  return f->logarithm == NIBBLE_NATURAL ? nibble_log(band) : 10 / nibble_log(10) * nibble_log(band);
}

static void bands_of(const nibble_sound_features* f, const double* weights, const int32_t* spans,
                     const double* spectrum, double* bands) {
  for (int32_t b = 0; b < f->bands; ++b) {
    const double* bins = spectrum + spans[2 * b];
    double sum = 0;
    for (int32_t k = 0; k < spans[2 * b + 1]; ++k) sum += *weights++ * bins[k];
    bands[b] = logarithm_of(f, sum);
  }
}

static void put_values(const nibble_sound_features* f, const double* cosines, const double* bands, float* out) {
  const int32_t values = nibble_sound_values(f);
  for (int32_t k = 0; k < values; ++k) {
    double value = f->coefficients > 0 ? 0 : bands[k];
    if (f->coefficients > 0)
      for (int32_t m = 0; m < f->bands; ++m) value += *cosines++ * bands[m];
    out[k] = (float)(f->gain * value + f->offset);
  }
}

static void hold_within_top(double* bands, int64_t count, double top) {
  double largest = bands[0];
  for (int64_t i = 1; i < count; ++i)
    if (bands[i] > largest) largest = bands[i];
  for (int64_t i = 0; i < count; ++i)
    if (bands[i] < largest - top) bands[i] = largest - top;
}

/* A sample in 1/32768: of one beyond [-1, 1], or a NaN, the nearest or 0. */
static int16_t integer_sample(const nibble_sound* sound, int64_t i) {
  const double x = sample_at(sound, i) * 32768;
  return (int16_t)(x >= 32767 ? 32767 : x <= -32768 ? -32768 : x == x ? integer(x) : 0);
}

static void compute_by_integers(const nibble_sound_features* f, const void* tables, const nibble_sound* sound,
                                void* scratch, float* out) {
  const integer_room at = integer_room_of(f, sound->count);
  const int64_t frames = nibble_sound_frames(f, sound->count);
  int16_t* const samples = (int16_t*)(void*)((char*)scratch + at.samples);
  int32_t* const values = (int32_t*)(void*)((char*)scratch + at.values);
  nibble_sound_plan plan;
  nibble_sound_plan_of(f, tables, &plan);
  for (int64_t i = 0; i < sound->count; ++i) samples[i] = integer_sample(sound, i);
  nibble_fixed_sound(&plan, samples, sound->count, frames, scratch, values);
  for (int64_t i = 0; i < frames * nibble_sound_values(f); ++i) out[i] = nibble_sound_real(f, values[i]);
}

void nibble_sound_compute(const nibble_sound_features* f, const void* tables, const nibble_sound* sound, void* scratch,
                          float* out) {
  if (f->arithmetic == NIBBLE_BY_INTEGERS) {
    compute_by_integers(f, tables, sound, scratch, out);
    return;
  }
  const layout at = layout_of(f);
  const double* const base = (const double*)tables;
  double *const frame = (double*)scratch, *const spectrum = frame + f->transform, *bands = spectrum + bins_of(f);
  const int64_t frames = nibble_sound_frames(f, sound->count);
  const double largest = f->by_largest ? largest_sample(sound) : 0, divisor = largest > 0 ? largest : 1;
  const int32_t values = nibble_sound_values(f);
  for (int64_t t = 0; t < frames; ++t) {
    double* const row = f->top > 0 ? bands + t * f->bands : bands;
    load_frame(f, base, sound, t, divisor, frame);
    spectrum_of(f, base + at.turns, frame, spectrum);
    bands_of(f, base + at.weights, (const int32_t*)(const void*)(base + at.spans), spectrum, row);
    if (!(f->top > 0)) put_values(f, base + at.cosines, row, out + t * values);
  }
  if (!(f->top > 0) || frames == 0) return;
  hold_within_top(bands, frames * f->bands, f->top);
  for (int64_t t = 0; t < frames; ++t) put_values(f, base + at.cosines, bands + t * f->bands, out + t * values);
}
