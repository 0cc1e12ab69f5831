#include "codegen/code.hpp"

#include <fmt/format.h>

#include <set>

#include "codegen/literals.hpp"

namespace nibble::codegen {

std::vector<const program::Piece*> pieces(const Code& code) {
  std::set<const program::Piece*> used;
  for (size_t i = 0; i < code.program.steps.size(); ++i) {
    const auto fetched = code.external.steps.find(i);
    for (int64_t offset : constants_of(code.program.steps[i]))
      if (fetched == code.external.steps.end() || offset != fetched->second.piece) used.insert(&piece_at(code, offset));
  }
  for (const program::Port& port : code.program.outputs)
    if (in_constants(port.value.place)) used.insert(&piece_at(code, port.value.place.offset));
  std::vector<const program::Piece*> result;
  for (const program::Piece& piece : code.program.pieces)
    if (used.contains(&piece)) result.push_back(&piece);
  return result;
}

std::string weights_header(const Code& code) {
  std::string text =
      head(code) + fmt::format("#ifndef {0}_WEIGHTS_H\n#define {0}_WEIGHTS_H\n#include <stdint.h>\n\n", code.upper);
  for (const program::Piece* piece : pieces(code))
    text += fmt::format("extern const {} {}[{}];\n", piece->type, piece_name(code, *piece), elements_of(*piece));
  return text + "\n#endif\n";
}

std::string weights_file(const Code& code) {
  std::string text = head(code) + fmt::format("#include \"{}_weights.h\"\n\n", code.prefix);
  if (!code.hot.empty())
    text += fmt::format(
        "/* What is read most often for its size. */\n#ifndef {0}_HOT\n#define {0}_HOT "
        "__attribute__((section(\"{1}\")))\n#endif\n\n",
        code.upper, code.options.hot_section);
  for (const program::Piece* piece : pieces(code))
    text += fmt::format("{}const {} {}[{}] = {{\n{}}};\n\n",
                        code.hot.contains(piece->offset) ? code.upper + "_HOT " : "", piece->type,
                        piece_name(code, *piece), elements_of(*piece), array_of(*piece, code.program.constants));
  return text;
}

}  // namespace nibble::codegen
