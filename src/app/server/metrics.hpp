#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/application.hpp"

namespace nibble::app {

/// What happened since the server began, in Prometheus' text form (exposition format 0.0.4). Several threads may count.
class Metrics {
 public:
  /// A request was answered with this status, so many seconds after its first byte.
  void count(int status, double seconds);
  /// Where the time of an answer went.
  void count(const std::vector<Stage>& stages);
  uint64_t requests() const;

  /// A value of now.
  struct Gauge {
    std::string_view name, help;
    uint64_t value;
  };
  std::string text(const std::vector<Gauge>& gauges) const;

 private:
  /// Upper ends of the histogram, seconds; one more bucket holds what is above.
  static constexpr std::array ends{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                   0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

  mutable std::mutex mutex_;
  std::map<int, uint64_t> statuses_;
  std::map<std::string, double, std::less<>> stages_;
  std::array<uint64_t, ends.size() + 1> buckets_{};
  double seconds_ = 0;
  uint64_t requests_ = 0;
};

}  // namespace nibble::app
