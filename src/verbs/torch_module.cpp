#include "verbs/torch_module.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/own_file.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

TorchModule load(const fs::path& file) {
  // OpenMP reads this when it is loaded with torch. Waiting threads that spin cost a factor of ten and more where other
  // processes want the cores too; waiting threads that sleep cost some microseconds a kernel.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  // Its symbols stay its own: the rooms that it shares with the binary are in both.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, ::dlerror()};
  using Entry = const train::Api* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, "nibble_train_api"));
  if (entry == nullptr) return {nullptr, file.string() + " has no nibble_train_api"};
  const train::Api* api = entry();
  if (api->version != train::api_version)
    return {nullptr, file.string() + " has version " + std::to_string(api->version) + ", this nibble needs " +
                         std::to_string(train::api_version)};
  return {api, ""};
}

TorchModule find() {
  std::error_code error;
  const auto files = places_of_own_file("libnibble_torch.so", "NIBBLE_TORCH_MODULE", NIBBLE_MODULE_FOLDER);
  for (const fs::path& file : files)
    if (fs::exists(file, error)) return load(file);
  return {nullptr, "no " + files.front().string()};
}

}  // namespace

const TorchModule& torch_module() {
  static const TorchModule module = find();
  return module;
}

const train::Api& torch_api(const std::string& what) {
  const TorchModule& module = torch_module();
  if (module.api == nullptr)
    fail("verbs", what, "needs the libtorch module: " + module.why,
         "a build with -DNIBBLE_TORCH=ON, or NIBBLE_TORCH_MODULE naming libnibble_torch.so");
  return *module.api;
}

}  // namespace nibble::verbs
