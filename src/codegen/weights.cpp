#include "codegen/code.hpp"

#include <fmt/format.h>

#include <set>

#include "codegen/literals.hpp"
#include "kernels/fields.h"

namespace nibble::codegen {

using program::Place;
using program::Port;
using program::Step;

namespace {

/// Those that a step or an output reads.
std::vector<const program::Piece*> pieces(const Code& code) {
  std::set<int64_t> used;
  const auto use = [&](const Place& place) {
    if (place.where == Place::Where::Constants) used.insert(piece_at(code, place.offset).offset);
  };
  for (const Step& step : code.program.steps) {
    for (const Place& place : step.in) use(place);
    const nibble_kind_fields& of = *nibble_fields_of(step.kind);
    size_t at = 0;
    for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count))
      if (of.fields[i].type == NIBBLE_FIELD_POINTER && step.numbers[at] >= 0)
        used.insert(piece_at(code, step.numbers[at]).offset);
  }
  for (const Port& port : code.program.outputs) use(port.value.place);
  std::vector<const program::Piece*> result;
  for (const program::Piece& piece : code.program.pieces)
    if (used.contains(piece.offset)) result.push_back(&piece);
  return result;
}

}  // namespace

std::string weights_header(const Code& code) {
  std::string text =
      head(code) + fmt::format("#ifndef {0}_WEIGHTS_H\n#define {0}_WEIGHTS_H\n#include <stdint.h>\n\n", code.upper);
  for (const program::Piece* piece : pieces(code))
    text += fmt::format("extern const {} {}[{}];\n", piece->type, piece_name(code, *piece), elements_of(*piece));
  return text + "\n#endif\n";
}

std::string weights_file(const Code& code) {
  std::string text = head(code) + fmt::format("#include \"{}_weights.h\"\n\n", code.prefix);
  for (const program::Piece* piece : pieces(code))
    text += fmt::format("const {} {}[{}] = {{\n{}}};\n\n", piece->type, piece_name(code, *piece), elements_of(*piece),
                        array_of(*piece, code.program.constants));
  return text;
}

}  // namespace nibble::codegen
