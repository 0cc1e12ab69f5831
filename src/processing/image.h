#ifndef NIBBLE_PROCESSING_IMAGE_H
#define NIBBLE_PROCESSING_IMAGE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A picture's way into a network's input: integers alone, nothing allocated, nothing global. */

/* Pixels row by row, `channels` (1 or 3) bytes each, no padding between rows. Sides of 1 to 32768. */
typedef struct nibble_picture {
  const uint8_t* pixels;
  int32_t height, width, channels;
} nibble_picture;

typedef enum nibble_fit {
  NIBBLE_STRETCH,   /* the rectangle becomes the whole input */
  NIBBLE_LETTERBOX, /* it keeps its proportions and lies in the middle, the rest is padding */
  NIBBLE_COVER      /* it keeps its proportions and covers the input: what stands over is cut off on both sides alike */
} nibble_fit;

typedef enum nibble_filter {
  NIBBLE_BILINEAR, /* between the two nearest pixels along each axis, half-pixel centres, held at the borders */
  NIBBLE_AREA      /* the mean of the area that a pixel of the result covers; along an axis that grows, bilinear */
} nibble_filter;

typedef struct nibble_rectangle {
  int32_t left, top, width, height;
} nibble_rectangle;

/* Which pixels of the picture lie where in the input: `from` in the picture (it may reach beyond it: padding is read
 * there), `to` in the input. */
typedef struct nibble_placement {
  nibble_rectangle from, to;
} nibble_placement;

typedef struct nibble_image_input {
  int32_t height, width; /* of the network's input, 1 to 4096 */
  nibble_fit fit;
  nibble_filter filter;
  int32_t percent; /* NIBBLE_COVER: how much of what covers is kept, 1 to 100 */
  uint8_t pad[3];
} nibble_image_input;

/* Where `part` of a picture goes; its sides are 1 to 65536. */
nibble_placement nibble_place(const nibble_image_input* input, nibble_rectangle part);

/* Bytes of scratch that nibble_resize asks for, aligned to 4. */
size_t nibble_resize_scratch(const nibble_image_input* input, const nibble_placement* at, int32_t channels);

/* The input's pixels, height x width x the picture's channels. Each is the exact weighted mean of the picture's,
 * rounded half up. */
void nibble_resize(const nibble_image_input* input, const nibble_placement* at, const nibble_picture* picture,
                   void* scratch, uint8_t* out);

/* The network's integers of `count` pixels, one plane a channel: plane c is table[256 * c + the pixel's channel]. A
 * picture of one channel gives it to every plane; of three, plane c takes channel order[c]; one plane of three channels
 * takes (299 R + 587 G + 114 B + 500) / 1000. `bytes`: of an element, 1, 2 or 4, the table's low bytes. */
void nibble_pixels_to_levels(const uint8_t* pixels, int64_t count, int32_t channels, int32_t planes,
                             const uint8_t order[3], const int32_t* table, int32_t bytes, void* out);

#ifdef __cplusplus
}
#endif
#endif
