#pragma once
#include <filesystem>

namespace nibble::lab {

/// A file that one process at a time holds, as long as it lives: flock(2).
class Claim {
 public:
  /// Holds it, or does not where another process does.
  explicit Claim(const std::filesystem::path& file);
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  bool held() const { return held_; }

  /// Whether somebody holds it now.
  static bool is_held(const std::filesystem::path& file);

 private:
  int descriptor_ = -1;
  bool held_ = false;
};

}  // namespace nibble::lab
