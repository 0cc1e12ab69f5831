/* A network as an application of Zephyr: `nibble generate ID.onnx --prefix tiny -o tiny` beside this folder. */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "tiny.h"

static tiny_arena arena;
static tiny_image image;
static tiny_classifier scores;

int main(void) {
  if (tiny_init(&arena) != 0) {
    printk("arena: not aligned\n");
    return 1;
  }
  for (int round = 0; round < 3; ++round) {
    int best = 0;
    for (int i = 0; i < TINY_IMAGE_COUNT; ++i) image.data[i] = (uint8_t)(round * 60 + i);
    if (tiny_run(&image, &scores, &arena) != 0) return 1;
    for (int i = 1; i < TINY_CLASSIFIER_COUNT; ++i)
      if (scores.data[i] > scores.data[best]) best = i;
    printk("class %d\n", best);
    k_msleep(100);
  }
  return 0;
}
