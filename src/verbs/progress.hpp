#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace nibble::verbs {

/// "training  [#####.....]  50 %  3:20 left"; the time left is what the rest takes at the speed so far.
std::string progress_line(std::string_view what, int64_t done, int64_t of, double seconds);

/// A bar on stderr: only on a terminal, only after two seconds, redrawn at most ten times a second, gone at the end.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::string_view what, int64_t done, int64_t of);
  /// A line of its own on stderr, above the bar; nothing when quiet.
  void say(const std::string& line);
  /// "warning: ..." on stderr, also when quiet.
  void warn(const std::string& line);

 private:
  void clear();
  void print(const std::string& line);

  using Clock = std::chrono::steady_clock;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  std::string what_;
  Clock::time_point start_, last_;
};

}  // namespace nibble::verbs
