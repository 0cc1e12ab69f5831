#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/grid.hpp"
#include "base/shape.hpp"

/// The integer program: steps, operands, packed constants, offsets; nothing is left to decide. docs/design/program.md.
namespace nibble::program {

/// Bytes in the arena, or among the constants. Neither: an operand that is not there.
struct Place {
  enum class Where : uint8_t { Nowhere, Arena, Constants } where = Where::Nowhere;
  int64_t offset = 0;
  bool operator==(const Place&) const = default;
};

/// A tensor as its readers see it: extents in the network's order of axes, strides in elements.
struct Value {
  std::string name;
  int32_t type = 0;  ///< nibble_type (kernels/kernels.h)
  Shape extents;
  std::vector<int64_t> strides;
  Place place;
  int batch = -1;    ///< the axis that the network leaves open: a program runs one example of it
  int64_t held = 0;  ///< how far above the network's integers those in memory lie; not in a file
};

/// An input or output of the network. Without scales its integers stand for themselves.
struct Port {
  Value value;
  std::vector<double> scale;
  int axis = -1;
  int64_t zero_point = 0, low = 0, high = 0;  ///< integers that are allowed: [low, high]
  Rounding rounding = Rounding::HalfUp;
};

/// One call of a kernel.
struct Step {
  int kind = 0;      ///< nibble_kind
  std::string name;  ///< of the node in the network
  std::string op;    ///< what it computes, for people
  std::vector<int64_t>
      numbers;  ///< the kind's fields (kernels/fields.h); a pointer is an offset among the constants, or -1
  std::vector<Place> in;
  Place out;
  int64_t scratch = -1;  ///< where in the arena its scratch stands; -1: behind it, a thread's own
  int32_t rows = 0;      ///< with packed operands: of the result that are computed at once (kernels/packed/packed.h)
  int64_t tiles = 0;     ///< where in its scratch their tiles stand; not in a file
  std::vector<Value> values;   ///< what this step completes
  int64_t operations = 0;      ///< multiply-accumulates
  std::string requantisation;  ///< how accumulators become levels, for people
};

/// One of a program's constants: bytes of C's type of that name. Not in the file, whose readers need none.
struct Piece {
  int64_t offset = 0, bytes = 0;
  std::string type;
};

/// A piece of the arena, and the steps that need it.
struct Buffer {
  int64_t offset = 0, bytes = 0;
  int first = -1, last = -1;  ///< written, read last; -1: before the steps, their number: behind them
  bool operator==(const Buffer&) const = default;
};

/// Who runs a step, where it is there: a kernel set, or a back end. Without a name: nobody was chosen.
struct Runner {
  std::string name;
  bool backend = false;
  bool operator==(const Runner&) const = default;
};

/// What `tune` found on a machine: of each step.
struct Choices {
  std::string machine;
  std::vector<Runner> of;
  bool operator==(const Choices&) const = default;
};

/// Of one batch: every extent is fixed.
struct Program {
  std::string name;
  int64_t arena = 0;        ///< bytes
  int64_t lower_bound = 0;  ///< bytes that no plan of the arena can go below
  int64_t scratch = 0;      ///< bytes a thread, the most that a step asks for
  bool planned = false;     ///< for one thread: scratch stands in the arena, results over what they are made of
  std::vector<Step> steps;
  std::vector<Port> inputs, outputs;
  std::map<std::string, std::string> metadata;
  std::vector<uint8_t> constants;
  std::vector<Piece> pieces;
  std::vector<Buffer> buffers;  ///< the plan of the arena, for people
  std::optional<Choices> choices{};
};

inline constexpr int32_t version = 1, choices_version = 1;

/// The file's bytes. The same program gives the same bytes. Of a program that is not `planned`.
std::vector<uint8_t> write(const Program& program);

/// Throws UserError "program: <place>: ..." unless the bytes are a whole program of this version.
Program read(std::span<const uint8_t> bytes, const std::string& place);

}  // namespace nibble::program
