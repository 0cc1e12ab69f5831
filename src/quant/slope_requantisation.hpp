#pragma once
#include <optional>

#include "quant/staircase.hpp"

namespace nibble::quant {

/// The requantisation that has the steps, clipped to `levels`, with the smallest shift at which a multiplier next to
/// slope * 2^shift has one, in the middle of the addends that do; nothing where there is none with a multiplier in 32
/// bits and a product in 63.
///
/// Not solve_exactly's question: there kappa is the real function's and any multiplier that steps alike will do; here
/// the slope was read from a file, and what is made of it keeps that slope. The integers differ where both answer.
std::optional<Requantisation> slope_requantisation(const Staircase& steps, double slope, Interval arguments,
                                                   Interval levels);

}  // namespace nibble::quant
