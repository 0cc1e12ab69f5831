#include "verbs/tables/tuning_tables.hpp"

#include <fmt/format.h>

namespace nibble::verbs {

std::string describe_tuned(const lab::Tuning& tuning) {
  std::string text;
  for (const std::string& why : tuning.passed_over) text += fmt::format("passed over: {}\n", why);
  return text + fmt::format("median {:.4f} ms, {:.4f} before; every value is the reference's\n", 1e3 * tuning.after,
                            1e3 * tuning.before);
}

Json tuned_json(const lab::Tuning& tuning) {
  return {{"before_ms", 1e3 * tuning.before}, {"after_ms", 1e3 * tuning.after}, {"passed_over", tuning.passed_over}};
}

}  // namespace nibble::verbs
