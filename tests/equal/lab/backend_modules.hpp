#pragma once
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "runtime/nibble_backend.h"

/// Back ends that tests load: those of the build, and those made for tests (tests/backends).
namespace nibble::tests {

inline std::filesystem::path built_backends() {
  return std::filesystem::path(NIBBLE_BINARY).parent_path() / "backends";
}
inline std::filesystem::path test_backends() {
  return std::filesystem::path(NIBBLE_BINARY).parent_path().parent_path() / "tests" / "backends";
}

/// NIBBLE_BACKENDS for as long as it lives.
class BackendFolders {
 public:
  explicit BackendFolders(const std::string& folders = built_backends().string() + ":" + test_backends().string()) {
    ::setenv("NIBBLE_BACKENDS", folders.c_str(), 1);
  }
  ~BackendFolders() { ::unsetenv("NIBBLE_BACKENDS"); }
  BackendFolders(const BackendFolders&) = delete;
};

inline bool has_onednn() {
  return std::filesystem::exists(built_backends() / "onednn.so");
}

/// As the runtime gets it.
inline const nibble_backend* backend_in(const std::filesystem::path& file) {
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return nullptr;
  const auto entry = reinterpret_cast<const nibble_backend* (*)()>(::dlsym(library, NIBBLE_BACKEND_ENTRY));
  return entry == nullptr ? nullptr : entry();
}

}  // namespace nibble::tests
