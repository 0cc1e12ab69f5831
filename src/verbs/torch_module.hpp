#pragma once
#include <string>

#include "train/api.hpp"

namespace nibble::verbs {

/// What was found of the module that holds libtorch: its functions, or why there are none.
struct TorchModule {
  const train::Api* api = nullptr;
  std::string why;
};

/// Loads libnibble_torch.so, once: the file that NIBBLE_TORCH_MODULE names where it is set, else the one beside the
/// binary, else ../lib/nibble from there.
const TorchModule& torch_module();

/// Throws UserError saying that `what` needs the module, why there is none and how to build it.
const train::Api& torch_api(const std::string& what);

}  // namespace nibble::verbs
