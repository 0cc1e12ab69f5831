#include "train/loop/metrics.hpp"

#include <fmt/format.h>

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

}  // namespace nibble::train
