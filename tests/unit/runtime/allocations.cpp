#include "unit/runtime/allocations.hpp"

#include <atomic>
#include <cstddef>

namespace nibble::tests {
namespace {
std::atomic<int64_t> count{0};
}  // namespace

int64_t allocations() {
  return count;
}

}  // namespace nibble::tests

// The sanitizers have an allocator of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
  ++nibble::tests::count;
  return __libc_malloc(size);
}
void* calloc(size_t items, size_t size) {
  ++nibble::tests::count;
  return __libc_calloc(items, size);
}
void* realloc(void* old, size_t size) {
  ++nibble::tests::count;
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++nibble::tests::count;
  return __libc_memalign(alignment, size);
}
}
#endif
