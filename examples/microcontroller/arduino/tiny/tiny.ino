// A network as a sketch: `nibble generate ID.onnx --prefix tiny -o tiny` writes the folder `tiny`, which goes into
// `libraries/` with `src` as its name for kernels and code; LED on where class 1 is the most likely.
#include <Arduino.h>

#include "tiny/tiny.h"

static tiny_arena arena;
static tiny_image image;
static tiny_classifier scores;

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  if (tiny_init(&arena) != 0) Serial.println("arena: not aligned");
}

void loop() {
  for (int i = 0; i < TINY_IMAGE_COUNT; ++i) image.data[i] = static_cast<uint8_t>(analogRead(A0) >> 2);
  if (tiny_run(&image, &scores, &arena) != 0) return;
  int best = 0;
  for (int i = 1; i < TINY_CLASSIFIER_COUNT; ++i)
    if (scores.data[i] > scores.data[best]) best = i;
  Serial.print("class ");
  Serial.println(best);
  digitalWrite(LED_BUILTIN, best == 1 ? HIGH : LOW);
  delay(100);
}
