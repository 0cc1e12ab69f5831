#pragma once
#include <string>

#include "program/program.hpp"

/// The plan of the arena drawn over time.
namespace nibble::verbs {

/// A column a step, between what comes in and what goes out; a row a slice of addresses, the highest above; a letter a
/// buffer, and below the letters' buffers.
std::string draw_arena(const program::Program& program);

/// The same as an SVG: a rectangle a buffer, steps to the right, addresses upwards.
std::string arena_svg(const program::Program& program);

}  // namespace nibble::verbs
