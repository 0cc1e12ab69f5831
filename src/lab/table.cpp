#include <fmt/format.h>

#include "lab/experiment.hpp"
#include "lab/run.hpp"

namespace nibble::lab {

std::string table(const std::vector<Row>& rows) {
  std::string text =
      fmt::format("{:<6} {:>5}  {:>8}  {:>16}  {:>5}  {:>21}  {:>9}  {:>9}  {}\n", "", "bits", "accuracy",
                  "95 % interval", "flips", "differing integers", "weights", "exact", "variant");
  for (const Row& row : rows) {
    const std::string bits =
        row.representation == "FP" ? "float" : fmt::format("{}/{}", row.weight_bits, row.activation_bits);
    const std::string integers = row.compared_integers == 0 ? "-"
                                                            : fmt::format("{} of {:.4g}", row.differing_integers,
                                                                          static_cast<double>(row.compared_integers));
    const std::string exact = row.requantisations == 0 ? "-" : fmt::format("{} of {}", row.exact, row.requantisations);
    text += fmt::format("{:<6} {:>5}  {:>7.2f}%  {:>6.2f}% - {:>5.2f}%  {:>5}  {:>21}  {:>7} B  {:>9}  {}\n",
                        row.representation, bits, 100 * row.accuracy, 100 * row.low, 100 * row.high, row.flips,
                        integers, row.weight_bytes, exact, row.variant.empty() ? "-" : row.variant);
  }
  return text +
         "\nFP float, FQ fake-quantised, run on the integers it means, QD its real functions evaluated exactly, ID "
         "integers alone.\n"
         "flips: decisions unlike float's. differing integers: activations unlike ID's (ID: unlike QD's).\n"
         "exact: requantisations certified equal on every accumulator value, of all.\n";
}

Json to_json(const Row& row) {
  return {{"variant", row.variant},
          {"representation", row.representation},
          {"weights", row.weight_bits},
          {"activations", row.activation_bits},
          {"metric", row.metric},
          {"accuracy", row.accuracy},
          {"interval", {row.low, row.high}},
          {"flips", row.flips},
          {"compared_integers", row.compared_integers},
          {"differing_integers", row.differing_integers},
          {"weight_bytes", row.weight_bytes},
          {"requantisations", row.requantisations},
          {"exact", row.exact},
          {"model", row.model.string()}};
}

}  // namespace nibble::lab
