/* As much of Zephyr as the application of examples/ calls. */
#pragma once
#include <stdint.h>
static inline int32_t k_msleep(int32_t milliseconds) {
  return milliseconds > 0 ? 0 : -1;
}
