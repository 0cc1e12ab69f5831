#pragma once
#include <map>
#include <string>

#include "codegen/code.hpp"

/// Kernels' sources for one network alone. docs/design/codegen.md.
namespace nibble::codegen {

/// A field of nibble_conv that every convolution of the program has the same number in.
struct Same {
  static constexpr int whole = -1, every = -2;
  std::string within, name;
  int index = whole;    ///< of an array; `every`: all of its numbers are that one
  std::string literal;  ///< C, of the field's type
};
std::vector<Same> same_in_convolutions(const Code& code);

/// Writes these numbers into the sources that work on convolutions alone (by path, those of kernels/ and its headers),
/// where they read the field, and leaves the fields out of the struct that nothing reads any more. The kernels give the
/// same integers. Returns the fields left out.
std::vector<Same> specialise(const std::vector<Same>& same, std::map<std::string, std::string>& files);

struct KernelFiles {
  std::map<std::string, std::string> files;  ///< sources and headers by their path
  std::vector<Same> left_out;                ///< fields that their structs have no more
};
KernelFiles kernel_files(const Code& code);

/// Definitions for the head of kernels.h that leave out the forms of stages which no step has.
std::string forms_left_out(const Code& code);

}  // namespace nibble::codegen
