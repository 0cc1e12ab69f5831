#ifndef NIBBLE_KERNELS_X86_AVX2_H
#define NIBBLE_KERNELS_X86_AVX2_H
#include "kernels/kernels.h"

/* The kernels of the set `avx2`, a kind each: one that takes these parameters, or NULL. */
nibble_kernel nibble_avx2_conv(const nibble_conv* p, const char** name);
nibble_kernel nibble_avx2_winograd(const nibble_conv* p, const char** name);
nibble_kernel nibble_avx2_stream(const nibble_conv* p, const char** name);
nibble_kernel nibble_avx2_depthwise(const nibble_conv* p, const char** name);
nibble_kernel nibble_avx2_matmul(const nibble_matmul* p, const char** name);
nibble_kernel nibble_avx2_pool(const nibble_pool* p, const char** name);
nibble_kernel nibble_avx2_pointwise(const nibble_pointwise* p, const char** name);
nibble_kernel nibble_avx2_move(const nibble_move* p, const char** name);
nibble_kernel nibble_avx2_reduce(const nibble_reduce* p, const char** name);

#endif
