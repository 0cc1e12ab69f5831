#include "verbs/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace nibble::verbs {

std::string progress_line(std::string_view what, int64_t done, int64_t of, double seconds) {
  constexpr int64_t width = 30;
  const int64_t whole = of > 0 ? of : 1;
  const auto filled = static_cast<size_t>(width * done / whole);
  const double left = done > 0 ? seconds / static_cast<double>(done) * static_cast<double>(whole - done) : 0;
  const auto rounded = static_cast<int64_t>(left + 0.5);
  const std::string bar = std::string(filled, '#') + std::string(static_cast<size_t>(width) - filled, '.');
  return fmt::format("{}  [{}] {:>3} %  {}:{:02} left", what, bar, 100 * done / whole, rounded / 60, rounded % 60);
}

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  clear();
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void Progress::update(std::string_view what, int64_t done, int64_t of) {
  if (!terminal_) return;
  const auto now = Clock::now();
  if (what != what_) {
    what_ = what;
    start_ = last_ = now;
  }
  const std::chrono::duration<double> seconds = now - start_;
  if (seconds.count() < 2 || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  clear();
  std::fputs(progress_line(what, done, of, seconds.count()).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::say(const std::string& line) {
  if (!quiet_) print(line);
}

void Progress::warn(const std::string& line) {
  print("warning: " + line);
}

void Progress::print(const std::string& line) {
  clear();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace nibble::verbs
