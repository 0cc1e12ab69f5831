#include "app/server/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nibble::app {
namespace {

void begin(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text += fmt::format("# HELP nibble_{0} {2}\n# TYPE nibble_{0} {1}\n", name, type, help);
}

}  // namespace

void Metrics::count(int status, double seconds) {
  const std::lock_guard lock(mutex_);
  ++requests_;
  ++statuses_[status];
  ++buckets_[static_cast<size_t>(std::lower_bound(ends.begin(), ends.end(), seconds) - ends.begin())];
  seconds_ += seconds;
}

void Metrics::count(const std::vector<Stage>& stages) {
  const std::lock_guard lock(mutex_);
  for (const Stage& stage : stages) stages_[std::string(stage.name)] += stage.seconds;
}

uint64_t Metrics::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string Metrics::text(const std::vector<Gauge>& gauges) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  begin(text, "requests_total", "counter", "Requests that were answered, by status.");
  for (const auto& [status, count] : statuses_)
    text += fmt::format("nibble_requests_total{{status=\"{}\"}} {}\n", status, count);
  begin(text, "request_seconds", "histogram", "Time from a request's first byte to its answer's last.");
  uint64_t below = 0;
  for (size_t i = 0; i < ends.size(); ++i)
    text += fmt::format("nibble_request_seconds_bucket{{le=\"{}\"}} {}\n", ends[i], below += buckets_[i]);
  text += fmt::format("nibble_request_seconds_bucket{{le=\"+Inf\"}} {}\n", requests_);
  text += fmt::format("nibble_request_seconds_sum {}\nnibble_request_seconds_count {}\n", seconds_, requests_);
  begin(text, "stage_seconds_total", "counter", "Time spent in each stage of an answer.");
  for (const auto& [stage, seconds] : stages_)
    text += fmt::format("nibble_stage_seconds_total{{stage=\"{}\"}} {}\n", stage, seconds);
  for (const Gauge& gauge : gauges) {
    begin(text, gauge.name, "gauge", gauge.help);
    text += fmt::format("nibble_{} {}\n", gauge.name, gauge.value);
  }
  return text;
}

}  // namespace nibble::app
