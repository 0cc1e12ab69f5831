#include <fmt/format.h>

#include "lab/experiment.hpp"
#include "lab/run.hpp"

namespace nibble::lab {
namespace {

/// How well a row does, in columns of 8, 17 and 5 or 26 characters.
std::string measured(const Row& row) {
  if (!row.is_error())
    return fmt::format("{:>7.2f}%  {:>6.2f}% - {:>5.2f}%  {:>5}", 100 * row.value, 100 * row.low, 100 * row.high,
                       row.flips);
  const RelativeError more = row.to_float.value_or(RelativeError());
  return fmt::format("{:>8.5f}  {:>7.5f} - {:>7.5f}  {:>26}", row.value, row.low, row.high,
                     fmt::format("{:+.2f}% ({:+.2f} to {:+.2f})", 100 * more.value, 100 * more.interval.low,
                                 100 * more.interval.high));
}

std::string heading(bool errors) {
  return errors ? fmt::format("{:>8}  {:>17}  {:>26}", "error", "95 % interval", "more than float's")
                : fmt::format("{:>8}  {:>16}  {:>5}", "accuracy", "95 % interval", "flips");
}

std::string legend(const std::string& metric) {
  if (metric == "top1") return "flips: decisions unlike float's.";
  const std::string what =
      metric == "nme" ? "mean distance of landmarks over the root of the face's box" : "mean square distance";
  return "error: " + what + ". more than float's: of the means, 95 % interval of pairs.";
}

}  // namespace

std::string table(const std::vector<Row>& rows) {
  const bool errors = !rows.empty() && rows.front().is_error();
  std::string text = fmt::format("{:<6} {:>5}  {}  {:>21}  {:>9}  {:>9}  {}\n", "", "bits", heading(errors),
                                 "differing integers", "weights", "exact", "variant");
  for (const Row& row : rows) {
    const std::string bits =
        row.representation == "FP" ? "float" : fmt::format("{}/{}", row.weight_bits, row.activation_bits);
    const std::string integers = row.compared_integers == 0 ? "-"
                                                            : fmt::format("{} of {:.4g}", row.differing_integers,
                                                                          static_cast<double>(row.compared_integers));
    const std::string exact = row.requantisations == 0 ? "-" : fmt::format("{} of {}", row.exact, row.requantisations);
    text += fmt::format("{:<6} {:>5}  {}  {:>21}  {:>7} B  {:>9}  {}\n", row.representation, bits, measured(row),
                        integers, row.weight_bytes, exact, row.variant.empty() ? "-" : row.variant);
  }
  return text +
         "\nFP float, FQ fake-quantised, run on the integers it means, QD its real functions evaluated exactly, ID "
         "integers alone.\n" +
         legend(rows.empty() ? "top1" : rows.front().metric) +
         " differing integers: activations unlike ID's (ID: unlike QD's).\n"
         "exact: requantisations certified equal on every accumulator value, of all.\n";
}

Json to_json(const Row& row) {
  Json json = {{"variant", row.variant},
               {"representation", row.representation},
               {"weights", row.weight_bits},
               {"activations", row.activation_bits},
               {"metric", row.metric},
               {row.is_error() ? "error" : "accuracy", row.value},
               {"interval", {row.low, row.high}},
               {"flips", row.flips},
               {"compared_integers", row.compared_integers},
               {"differing_integers", row.differing_integers},
               {"weight_bytes", row.weight_bytes},
               {"requantisations", row.requantisations},
               {"exact", row.exact},
               {"model", row.model.string()}};
  if (row.to_float)
    json["to_float"] = {{"relative", row.to_float->value},
                        {"interval", {row.to_float->interval.low, row.to_float->interval.high}}};
  return json;
}

}  // namespace nibble::lab
