#ifndef NIBBLE_PROCESSING_SOUND_H
#define NIBBLE_PROCESSING_SOUND_H
#include <stddef.h>
#include <stdint.h>

#include "processing/fixed_sound.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A sound's way into a network's input: frames, windows, spectra, mel bands, logarithms, cosines. Doubles by sums,
 * products, quotients and square roots alone (processing/real.h), or integers (processing/fixed_sound.h): the same bits
 * on every machine either way; nothing allocated, nothing global. */

typedef enum nibble_sound_window { NIBBLE_RECTANGULAR, NIBBLE_HANN, NIBBLE_HAMMING } nibble_sound_window;

/* What hop steps along: the window's samples, with zeros behind them up to the transform (TensorFlow), or the
 * transform's, with the window in their middle (librosa). */
typedef enum nibble_sound_frame { NIBBLE_FRAME_OF_WINDOW, NIBBLE_FRAME_OF_TRANSFORM } nibble_sound_frame;

/* HTK: 2595 log10(1 + f / 700). Slaney: 3 f / 200 up to 1000 Hz, 15 + 27 log(f / 1000) / log(6.4) above. */
typedef enum nibble_mel_scale { NIBBLE_MEL_HTK, NIBBLE_MEL_SLANEY } nibble_mel_scale;

/* Along which axis a band's triangle is straight: hertz (librosa.filters.mel), or mel, without the bin of 0 Hz
 * (tf.signal.linear_to_mel_weight_matrix). */
typedef enum nibble_mel_triangles { NIBBLE_TRIANGLES_IN_HERTZ, NIBBLE_TRIANGLES_IN_MEL } nibble_mel_triangles;

/* Of a band b: b itself, log(b), or 10 log10(b), where b is no less than the floor, or the floor is added to it. */
typedef enum nibble_sound_logarithm { NIBBLE_NO_LOGARITHM, NIBBLE_NATURAL, NIBBLE_DECIBEL } nibble_sound_logarithm;

/* DCT-II of M bands, coefficient k = c sum_m band[m] cos(pi k (2 m + 1) / (2 M)), c = sqrt(2 / M); where orthonormal
 * (librosa, scipy), c = sqrt(1 / M) of k = 0. */
typedef enum nibble_sound_dct { NIBBLE_DCT_ORTHONORMAL, NIBBLE_DCT_TENSORFLOW } nibble_sound_dct;

/* What features are computed by. Integers take samples in 1/32768, and differ from doubles by thousandths of a
 * logarithm's unit where a band is less than 60 dB below the frame's largest. */
typedef enum nibble_sound_arithmetic { NIBBLE_BY_REALS, NIBBLE_BY_INTEGERS } nibble_sound_arithmetic;

typedef struct nibble_sound_features {
  int32_t rate;          /* samples a second, 1 to 1,000,000 */
  int32_t by_largest;    /* 1: samples are divided by the largest of them, where one is above 0 */
  int32_t window_length; /* samples, 1 to transform */
  int32_t hop;           /* samples, at least 1 */
  int32_t transform;     /* samples, a power of two of 4 to 32768 */
  nibble_sound_window window;
  int32_t symmetric; /* 1: the window's last sample is its first; 0: the one behind its last would be */
  nibble_sound_frame frame;
  nibble_sound_padding padding;
  int32_t power;    /* of the spectrum's magnitude: 1 or 2 */
  int32_t bands;    /* 1 to 1024 */
  double low, high; /* Hz: 0 <= low, low + 1 <= high <= rate / 2 */
  nibble_mel_scale mel;
  nibble_mel_triangles triangles;
  int32_t area; /* 1: a band's weights times 2 / (its width in Hz) (Slaney); 0: a triangle's top is 1 */
  nibble_sound_logarithm logarithm;
  double floor;         /* above 0 where there is a logarithm */
  int32_t floor_added;  /* 1: log(b + floor); 0: log(max(b, floor)) */
  double top;           /* above 0: no value is more than this below the sound's largest (librosa's top_db) */
  int32_t coefficients; /* of the DCT, 0 to bands; 0: the bands themselves */
  nibble_sound_dct dct;
  double gain, offset;                /* at the end: gain * value + offset */
  nibble_sound_arithmetic arithmetic; /* integers: a logarithm, its floor 1e-30 to 1e9 */
} nibble_sound_features;

/* Samples in [-1, 1]: `reals`, or where they are null `integers` / 32768. At most 2^30. */
typedef struct nibble_sound {
  const float* reals;
  const int16_t* integers;
  int64_t count;
} nibble_sound;

/* The first field whose value is outside what stands above, by name; null where all are inside. What follows may be
 * called of no others. */
const char* nibble_sound_fault(const nibble_sound_features* features);

int64_t nibble_sound_frames(const nibble_sound_features* features, int64_t samples);
int32_t nibble_sound_values(const nibble_sound_features* features); /* of a frame */

/* What does not depend on the sound, made once; `tables` of that many bytes, aligned to 8. */
size_t nibble_sound_table_bytes(const nibble_sound_features* features);
void nibble_sound_tables(const nibble_sound_features* features, void* tables);

/* Where features are computed by integers: what nibble_fixed_sound takes, of tables that stay where they are. */
void nibble_sound_plan_of(const nibble_sound_features* features, const void* tables, nibble_sound_plan* plan);

/* What nibble_fixed_sound's value stands for. */
float nibble_sound_real(const nibble_sound_features* features, int32_t value);

/* Bytes of scratch for a sound of that many samples, aligned to 8. */
size_t nibble_sound_scratch(const nibble_sound_features* features, int64_t samples);

/* frames x values, each rounded once to float. */
void nibble_sound_compute(const nibble_sound_features* features, const void* tables, const nibble_sound* sound,
                          void* scratch, float* out);

#ifdef __cplusplus
}
#endif
#endif
