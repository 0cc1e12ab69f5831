#include <array>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "quant/learning/noise.hpp"
#include "quant/learning/partition.hpp"

/// The names of what an algorithm's options choose among.
namespace nibble::quant {
namespace {

template <class T, size_t count>
using Names = std::array<std::pair<std::string_view, T>, count>;

constexpr Names<Noise, 4> noises{{{"uniform", Noise::Uniform},
                                  {"triangular", Noise::Triangular},
                                  {"normal", Noise::Normal},
                                  {"logistic", Noise::Logistic}}};
constexpr Names<Draw, 3> draws{{{"expectation", Draw::Expectation}, {"mode", Draw::Mode}, {"random", Draw::Random}}};
constexpr Names<Partition, 2> partitions{{{"magnitude", Partition::Magnitude}, {"random", Partition::Random}}};

template <class T, size_t count>
std::string_view name_in(const Names<T, count>& names, T value) {
  for (const auto& [name, each] : names)
    if (each == value) return name;
  throw InternalError("a choice is one of the enumeration");
}

template <class T, size_t count>
T named_in(const Names<T, count>& names, std::string_view name, std::string_view what, std::string_view expected) {
  for (const auto& [each, value] : names)
    if (each == name) return value;
  fail("quant", what, "'" + std::string(name) + "'", expected);
}

}  // namespace

std::string_view to_string(Noise noise) {
  return name_in(noises, noise);
}
std::string_view to_string(Draw draw) {
  return name_in(draws, draw);
}
std::string_view to_string(Partition partition) {
  return name_in(partitions, partition);
}

Noise noise_named(std::string_view name) {
  return named_in(noises, name, "noise", "uniform, triangular, normal or logistic");
}
Draw draw_named(std::string_view name) {
  return named_in(draws, name, "forward", "expectation, mode or random");
}
Partition partition_named(std::string_view name) {
  return named_in(partitions, name, "partition", "magnitude or random");
}

}  // namespace nibble::quant
