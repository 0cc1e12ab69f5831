#ifndef NIBBLE_PROCESSING_FIXED_SOUND_H
#define NIBBLE_PROCESSING_FIXED_SOUND_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Features of sound by integers alone (docs/design/sound.md), for machines without reals; nothing allocated, nothing
 * global. What stands here is made of nibble_sound_features once, by nibble_sound_plan or when code is generated. */

/* Half a frame before the first sample and behind the last (librosa's center): none, zeros, or the sound mirrored at
 * its first and last sample. */
typedef enum nibble_sound_padding { NIBBLE_NO_PADDING, NIBBLE_PAD_ZEROS, NIBBLE_PAD_MIRRORED } nibble_sound_padding;

typedef struct nibble_sound_plan {
  int32_t window_length, hop, transform; /* samples */
  int32_t before;                        /* samples of a frame before its window */
  int32_t first;                         /* the sample at which the first frame's window begins; below 0 where padded */
  nibble_sound_padding padding;
  int32_t power, bands, coefficients; /* as of nibble_sound_features */
  int32_t by_largest, floor_added;
  uint32_t floor; /* of 2^30 to 2^31, times 2^floor_exponent */
  int32_t floor_exponent;
  int32_t top;             /* in 1/2^16; 0: none */
  int32_t of_logarithm;    /* what the binary logarithm is multiplied by, in 1/2^28 */
  int32_t weight_scale;    /* weights are in 1/2^weight_scale */
  const uint16_t* window;  /* in 1/2^15 */
  const int32_t* turns;    /* cosine, sine of k / transform turns, k < transform / 2, in 1/2^30 */
  const uint16_t* weights; /* of the bands, one's behind another's */
  const int32_t* spans;    /* a band: its first bin, how many */
  const int32_t* cosines;  /* a row of `bands` a coefficient, in 1/2^30 */
} nibble_sound_plan;

/* Which of `count` samples stands at place i: -1 where that is silence. */
int64_t nibble_sound_index(nibble_sound_padding padding, int64_t count, int64_t i);

/* Bytes of scratch for that many frames, aligned to 8. */
size_t nibble_fixed_sound_scratch(const nibble_sound_plan* plan, int64_t frames);

/* frames x (coefficients or bands) in 1/2^16, before gain and offset, of samples in 1/2^15. */
void nibble_fixed_sound(const nibble_sound_plan* plan, const int16_t* samples, int64_t count, int64_t frames,
                        void* scratch, int32_t* out);

#ifdef __cplusplus
}
#endif
#endif
