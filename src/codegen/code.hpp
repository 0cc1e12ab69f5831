#pragma once
#include <set>
#include <string>
#include <vector>

#include "codegen/external.hpp"
#include "codegen/generate.hpp"
#include "codegen/kernel_table.hpp"

/// What every generated file knows of the network: names, kernels, places.
namespace nibble::codegen {

struct Code {
  const program::Program& program;
  const machine::Machine& machine;
  const Options& options;
  std::string prefix, upper;                 ///< as given, and in capitals
  std::vector<std::string> inputs, outputs;  ///< names of ports in C
  std::vector<const Kernel*> kernels;        ///< of each step
  External external;                         ///< weights that are fetched
  Footprint bytes;
  std::set<int64_t> hot;  ///< offsets of constants for the section of the hot ones

  /// Throws UserError as generate does.
  Code(const program::Program& program, const machine::Machine& machine, const Options& options);
};

/// The offset of a convolution's weights among the constants.
int64_t weights_of(const program::Step& step);
/// The constants that a step reads, by their offset.
std::vector<int64_t> constants_of(const program::Step& step);
/// Throws UserError where the machine's sets have none.
const Kernel& kernel_of(const program::Step& step, const machine::Machine& machine);

/// "1x3x32x32".
std::string extents_of(const Shape& extents);
std::string c_type(int32_t type);
/// The same, of packed elements "uint4" and the like.
std::string element_type(int32_t type);
/// The function that unpacks a step's operands for its kernel; empty: none are packed.
std::string_view packed_kernel(const program::Step& step);
std::string capitals(std::string name);
/// What a generated file begins with.
std::string head(const Code& code);

/// Where a place is.
bool in_arena(const program::Place& place);
bool in_constants(const program::Place& place);

/// What of a caller's a place behind the arena is: C's name of the input or output; empty: none.
struct Outside {
  std::string name;
  bool input = false;
  int64_t offset = 0;  ///< from its first byte
};
Outside outside_at(const Code& code, const program::Place& place);

/// The piece of the constants that holds the offset, and how C says the place.
const program::Piece& piece_at(const Code& code, int64_t offset);
std::string piece_name(const Code& code, const program::Piece& piece);
std::string constant(const Code& code, int64_t offset);

/// Axes in memory's order, outermost first, and the extents in that order: what a user fills in.
std::vector<size_t> memory_order(const program::Value& value);
Shape laid(const program::Value& value);

/// The sources of kernels, below kernels/, without headers.
std::vector<std::string> kernel_sources(const Code& code);

/// `model_run(..)`.
std::string signature(const Code& code);

// Each file's text.
std::string header_file(const Code& code);
/// Without the fields of convolutions that are left out.
std::string network_file(const Code& code, const std::set<std::string>& left_out);
/// What steps and outputs read, without what is fetched.
std::vector<const program::Piece*> pieces(const Code& code);
std::string weights_header(const Code& code);
std::string weights_file(const Code& code);
std::string golden_file(const Code& code);
/// The image of what is fetched, for the test program.
std::string external_file(const Code& code);
std::string test_program(const Code& code);
std::string layers_file(const Code& code);
std::string makefile(const Code& code);
std::string cmake_lists(const Code& code);
std::string readme(const Code& code);

}  // namespace nibble::codegen
