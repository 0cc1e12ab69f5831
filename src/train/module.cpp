#include <malloc.h>
#include <torch/version.h>

#include "train/api.hpp"
#include "train/engine.hpp"
#include "train/ranks.hpp"
#include "train/train.hpp"

extern "C" __attribute__((visibility("default"))) const nibble::train::Api* nibble_train_api() {
  // Activations are allocated and freed by the megabyte, over and over: from the heap their pages stay mapped.
  mallopt(M_MMAP_THRESHOLD, 1 << 28);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  static const nibble::train::Api api{nibble::train::api_version, nibble::train::make_engine, nibble::train::train,
                                      [] { return std::string(TORCH_VERSION); }, nibble::train::join_ranks};
  return &api;
}
