#pragma once
#include <cstdint>
#include <string>

namespace nibble::passes {

/// A function that integers compute by an algorithm of their own, or by lines between the entries of a table: what is
/// known of its distance from the real function's levels. docs/design/integer_functions.md.
struct Approximation {
  std::string node;
  std::string function;
  double error = 0;       ///< algorithms: proven: what is rounded is at most so many levels from the real function
  int64_t inputs = 0;     ///< tables: the levels of the input, each of which was compared; 0: an algorithm
  int64_t differing = 0;  ///< tables: inputs with another level than the real function rounded
  int64_t worst = 0;      ///< tables: by how many levels at most
};

}  // namespace nibble::passes
