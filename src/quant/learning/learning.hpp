#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quant/learning/ana.hpp"
#include "quant/learning/inq.hpp"
#include "quant/learning/lsq.hpp"
#include "quant/learning/pact.hpp"
#include "quant/learning/ste.hpp"
#include "quant/learning/tqt.hpp"

/// How a quantiser trains: what it learns, and what its gradient is. Source: NUMERICS.md, section 2;
/// docs/design/qat.md.
namespace nibble::quant {

/// Every algorithm, in the order in which messages name them: a row is its struct's name.
#define NIBBLE_ALGORITHMS(X) X(Ste) X(Pact) X(Tqt) X(Lsq) X(Ana) X(Inq)

template <class, class... Algorithm>
struct OneOf {
  using type = std::variant<Algorithm...>;
};
#define NIBBLE_AND(Algorithm) , Algorithm
/// An algorithm and its options.
using Learning = OneOf<void NIBBLE_ALGORITHMS(NIBBLE_AND)>::type;
#undef NIBBLE_AND

/// What a quantiser trains by where a description names nothing.
inline Learning learning_by_default() {
  return Lsq{};
}

/// What an algorithm is with any of its options: StraightThrough has the meanings.
struct Algorithm {
  std::string_view name, learns;
  bool stays_positive, both_bounds, on_activations, sets_weights;
  Learning learning;                      ///< with its options by default
  std::vector<std::string_view> options;  ///< their names, in order
};
const std::vector<Algorithm>& algorithms();
const Algorithm& algorithm_of(const Learning& learning);
inline std::string_view to_string(const Learning& learning) {
  return algorithm_of(learning).name;
}
/// The algorithm of that name, with its options by default; throws UserError otherwise.
Learning learning_named(std::string_view name);
/// "a, b or c": the names of those of which it holds; "" of none.
std::string names_of_algorithms(const std::function<bool(const Algorithm&)>& holds);

/// The algorithm's own: see StraightThrough.
float learned_from_scale(const Learning& learning, double scale, double reach);
float scale_of_learned(const Learning& learning, double learned, double reach);
double gradient_of_learned(const Learning& learning, const GradientSums& sums, const Steps& steps, double count,
                           std::span<double> state = {});
std::vector<double> state_at_start(const Learning& learning);
double end_of(const Learning& learning, const Steps& steps);
bool keeps_grid(const Learning& learning);
std::optional<Refusal> refusal(const Learning& learning, int64_t levels);

/// With both bounds learned: the grid of `levels` levels between low <= 0 <= high whose zero is a level, and the steps
/// from it. The bounds that hold are those of the steps.
Steps steps_between(double low, double high, int64_t levels, Rounding rounding);

}  // namespace nibble::quant
