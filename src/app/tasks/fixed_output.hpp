#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "processing/fixed.h"
#include "program/program.hpp"

/// What code by integers knows of an output: how its integers lie, and what they stand for.
namespace nibble::app {

/// The largest that an integer of the output, less its zero point or another integer, may be.
int64_t reach_of(const program::Port& port);

/// A real that integers up to `reach` are multiplied by, within 2^-30 of it or 2^-62. Throws UserError naming `what` where
/// the product has no room.
nibble_factor factor_of(double real, int64_t reach, const std::string& what, const std::string& place);

/// Throws UserError where the integers have more than 32 bits, or do not lie in one order from the first on.
nibble_integers integers_of(const program::Port& port, const std::string& place);

/// What integers stand for: one scale for all, 1 where the output has none. Throws UserError where it has several.
double scale_of(const program::Port& port, const std::string& place);

/// As the runtime gives it to tasks in reals, of an integer less the zero point.
float real_of(double scale, int64_t level);

/// The least integer of the output, less its zero point, that passes a test which larger ones pass too; one above all
/// where none does.
int64_t least_that(const program::Port& port, const std::function<bool(int64_t)>& passes);

}  // namespace nibble::app
