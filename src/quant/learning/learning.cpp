#include "quant/learning/learning.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

template <class T>
Algorithm row_of(const T& algorithm) {
  static_assert(T::learns.empty() || std::ranges::find(learned_groups, T::learns) != learned_groups.end());
  Algorithm row{T::name,           T::learns,       T::stays_positive, T::both_bounds,
                T::on_activations, T::sets_weights, algorithm,         {}};
  T::options(algorithm, [&](std::string_view key, const auto&...) { row.options.push_back(key); });
  return row;
}

}  // namespace

const std::vector<Algorithm>& algorithms() {
#define NIBBLE_ROW(Name) row_of(Name{}),
  static const std::vector<Algorithm> rows{NIBBLE_ALGORITHMS(NIBBLE_ROW)};
#undef NIBBLE_ROW
  return rows;
}

const Algorithm& algorithm_of(const Learning& learning) {
  return algorithms()[learning.index()];
}

Learning learning_named(std::string_view name) {
  for (const Algorithm& algorithm : algorithms())
    if (algorithm.name == name) return algorithm.learning;
  fail("quant", "algorithm", "'" + std::string(name) + "'", names_of_algorithms([](const Algorithm&) { return true; }));
}

std::string names_of_algorithms(const std::function<bool(const Algorithm&)>& holds) {
  std::vector<std::string_view> names;
  for (const Algorithm& algorithm : algorithms())
    if (holds(algorithm)) names.push_back(algorithm.name);
  std::string text;
  for (const std::string_view& name : names)
    text.append(text.empty() ? "" : &name == &names.back() ? " or " : ", ").append(name);
  return text;
}

float learned_from_scale(const Learning& learning, double scale, double reach) {
  return std::visit([&](const auto& algorithm) { return algorithm.learned_from_scale(scale, reach); }, learning);
}

float scale_of_learned(const Learning& learning, double learned, double reach) {
  return std::visit([&](const auto& algorithm) { return algorithm.scale_of_learned(learned, reach); }, learning);
}

double gradient_of_learned(const Learning& learning, const GradientSums& sums, const Steps& steps, double count,
                           std::span<double> state) {
  return std::visit([&](const auto& algorithm) { return algorithm.gradient(sums, steps, count, state); }, learning);
}

std::vector<double> state_at_start(const Learning& learning) {
  return std::visit([](const auto& algorithm) { return algorithm.state_at_start(); }, learning);
}

double end_of(const Learning& learning, const Steps& steps) {
  return std::visit([&](const auto& algorithm) { return algorithm.end(steps); }, learning);
}

bool keeps_grid(const Learning& learning) {
  return std::visit([](const auto& algorithm) { return algorithm.learns.empty() && algorithm.keeps_grid(); }, learning);
}

std::optional<Refusal> refusal(const Learning& learning, int64_t levels) {
  return std::visit([&](const auto& algorithm) { return algorithm.refusal(levels); }, learning);
}

Steps steps_between(double low, double high, int64_t levels, Rounding rounding) {
  ensure(low <= 0 && high >= 0 && levels >= 2 && levels < 2048, "an asymmetric quantiser's bounds enclose zero");
  const auto steps_up = static_cast<double>(levels - 1);
  Steps steps;
  steps.scale = static_cast<float>(within_float((high - low) / steps_up));
  const double below = std::fmin(std::floor(-low / static_cast<double>(steps.scale) + 0.5), steps_up);
  steps.low = -static_cast<int32_t>(below);
  steps.high = steps.low + static_cast<int32_t>(levels - 1);
  steps.rounding = rounding;
  steps.end = steps.most();
  return steps;
}

}  // namespace nibble::quant
