#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace nibble::testing {

/// A folder that goes when the test does.
struct Folder {
  Folder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path = std::filesystem::temp_directory_path() /
           ("nibble." + std::to_string(::getpid()) + "." + test->test_suite_name() + "." + test->name());
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  std::filesystem::path path;
};

inline std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// `count` images of height 2 and width 3 whose pixels count up from 0.
inline std::string idx_images(uint32_t count) {
  std::string bytes = big_endian(0x803) + big_endian(count) + big_endian(2) + big_endian(3);
  for (uint32_t i = 0; i < 6 * count; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

inline std::string idx_labels(const std::string& labels) {
  return big_endian(0x801) + big_endian(static_cast<uint32_t>(labels.size())) + labels;
}

/// The message of the UserError that `f` throws, `folder` written as DIR; "" where none comes.
template <class F>
std::string message_of(F f, const std::filesystem::path& folder = {}) {
  try {
    f();
  } catch (const std::exception& error) {
    std::string text = error.what();
    for (size_t at; !folder.empty() && (at = text.find(folder.string())) != std::string::npos;)
      text.replace(at, folder.string().size(), "DIR");
    return text;
  }
  return "";
}

}  // namespace nibble::testing
