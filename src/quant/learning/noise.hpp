#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "quant/learning/fake.hpp"

/// Additive noise annealing: the staircase is a sum of steps, and noise on their argument makes it smooth. Source:
/// Spallanzani et al. 2019; docs/design/qat.md.
namespace nibble::quant {

enum class Noise : uint8_t { Uniform, Triangular, Normal, Logistic };
enum class Draw : uint8_t { Expectation, Mode, Random };
std::string_view to_string(Noise noise);
std::string_view to_string(Draw draw);
/// "uniform", "triangular", "normal" or "logistic"; throws UserError otherwise.
Noise noise_named(std::string_view name);
/// "expectation", "mode" or "random"; throws UserError otherwise.
Draw draw_named(std::string_view name);

/// The noise on a staircase, in levels. deviation: half the width of a uniform or triangular density, the scale of a
/// normal or logistic one; 0: no noise, and the mean does not count either.
struct Annealed {
  Noise noise = Noise::Uniform;
  Draw draw = Draw::Expectation;
  double mean = 0, deviation = 0;
};

/// y = scale * (least + what is expected, likeliest or drawn of the number of thresholds below x / scale - mean +
/// noise). Random draws are of (key, first + i) alone: the same for any split among threads. With deviation 0 it is
/// fake_quantise.
void anneal(std::span<const float> x, const Steps& steps, const Annealed& noise, uint64_t key, uint64_t first,
            std::span<float> y);

/// dx = g * (the noise's density, summed over the thresholds): the derivative of the expectation, whatever was drawn;
/// 0 with deviation 0.
void anneal_backward(std::span<const float> g, std::span<const float> x, const Steps& steps, const Annealed& noise,
                     std::span<float> dx);

}  // namespace nibble::quant
