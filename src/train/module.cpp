#include <torch/version.h>

#include "train/api.hpp"
#include "train/engine.hpp"
#include "train/train.hpp"

extern "C" __attribute__((visibility("default"))) const nibble::train::Api* nibble_train_api() {
  static const nibble::train::Api api{nibble::train::api_version, nibble::train::make_engine, nibble::train::train,
                                      [] { return std::string(TORCH_VERSION); }};
  return &api;
}
