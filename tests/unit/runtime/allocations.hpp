#pragma once
#include <cstdint>

namespace nibble::tests {

/// How often this process has asked for memory: malloc, calloc, realloc, aligned_alloc. 0 under a sanitizer.
int64_t allocations();

}  // namespace nibble::tests
