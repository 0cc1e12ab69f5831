#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace nibble::tests {

/// A file in a folder of the running test's own: tests run side by side.
inline std::filesystem::path scratch(const std::string& name) {
  const auto& test = *::testing::UnitTest::GetInstance()->current_test_info();
  std::string folder = std::string("nibble_") + test.test_suite_name() + "_" + test.name();
  std::replace(folder.begin(), folder.end(), '/', '_');
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / folder;
  std::filesystem::create_directories(path);
  return path / name;
}

}  // namespace nibble::tests
