#include "train/loop/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble::train {
namespace {

/// Every column once: its name and its field.
template <class Report, class Visit>
void columns(Report& report, Visit visit) {
  visit("epoch", report.epoch), visit("epochs", report.epochs);
  visit("train_loss", report.train_loss), visit("train_accuracy", report.train_accuracy);
  visit("test_loss", report.test_loss), visit("test_accuracy", report.test_accuracy);
  visit("learning_rate", report.learning_rate), visit("seconds", report.seconds);
  visit("quantisers", report.quantisers), visit("reestimated", report.reestimated);
}

}  // namespace

Json to_json(const EpochReport& report) {
  Json json;
  columns(report, [&](const char* name, const auto& field) { json[name] = field; });
  return json;
}

EpochReport report_from_json(const Json& json) {
  EpochReport report;
  columns(report, [&](const char* name, auto& field) { json.at(name).get_to(field); });
  return report;
}

std::string metrics_csv(const std::vector<EpochReport>& reports) {
  std::string text;
  const char* comma = "";
  const EpochReport none;
  columns(none, [&](const char* name, const auto&) {
    text.append(comma).append(name);
    comma = ",";
  });
  for (const EpochReport& report : reports) {
    comma = "\n";
    columns(report, [&](const char*, const auto& field) {
      text.append(comma).append(fmt::format("{}", field));
      comma = ",";
    });
  }
  return text + "\n";
}

std::string divergence(const std::vector<EpochReport>& reports, double guess) {
  const EpochReport& last = reports.back();
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i + 1 < reports.size(); ++i) least = std::min(least, reports[i].train_loss);
  if (reports.size() == 1 && last.epoch < last.epochs) return {};
  const bool known = std::isfinite(guess);
  const bool far = known && last.train_loss > 10 * guess;
  const bool grown = last.train_loss > (known ? 1.5 : 10) * least && !(known && last.train_loss <= 1.5 * guess);
  if (!far && !grown) return {};
  std::string text = fmt::format("the loss diverges: {:.4g} on average over epoch {}", last.train_loss, last.epoch);
  if (grown) text += fmt::format(", {:.4g} in the best before", least);
  if (known) text += fmt::format(", where an output that says nothing has {:.4g}", guess);
  return text + ": lower learning_rate, or warm it up";
}

}  // namespace nibble::train
