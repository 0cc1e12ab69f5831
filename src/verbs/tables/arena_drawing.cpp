#include "verbs/tables/arena_drawing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/foreign_text.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {
namespace {

/// As memory_json lists them, with names.
struct Drawn {
  std::string names;
  int64_t offset = 0, bytes = 0;
  int first = -1, last = -1;
};

std::vector<Drawn> buffers_of(const program::Program& program) {
  std::vector<Drawn> list;
  for (const Json& json : memory_json(program)) {
    Drawn drawn{"", json["offset"], json["bytes"], json["first"], json["last"]};
    for (const Json& name : json["tensors"]) drawn.names += (drawn.names.empty() ? "" : " ") + name.get<std::string>();
    const auto step = static_cast<size_t>(std::max(drawn.first, 0));
    if (drawn.names.empty() && step < program.steps.size()) drawn.names = "scratch of " + program.steps[step].name;
    list.push_back(std::move(drawn));
  }
  return list;
}

int64_t top_of(const std::vector<Drawn>& buffers) {
  int64_t top = 0;
  for (const Drawn& buffer : buffers) top = std::max(top, buffer.offset + buffer.bytes);
  return top;
}

char letter_of(size_t buffer) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return letters[buffer % letters.size()];
}

/// The buffer that has most of [from, to) at a step.
char cell(const std::vector<Drawn>& buffers, int step, int64_t from, int64_t to) {
  char letter = '.';
  int64_t most = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Drawn& buffer = buffers[i];
    if (step < buffer.first || step > buffer.last) continue;
    const int64_t shared = std::min(to, buffer.offset + buffer.bytes) - std::max(from, buffer.offset);
    if (shared <= most) continue;
    most = shared;
    letter = letter_of(i);
  }
  return letter;
}

}  // namespace

std::string draw_arena(const program::Program& program) {
  constexpr int64_t rows = 16;
  const std::vector<Drawn> buffers = buffers_of(program);
  const int64_t slice = std::max<int64_t>((top_of(buffers) + rows - 1) / rows, 1);
  const int steps = static_cast<int>(program.steps.size());
  std::string text;
  for (int64_t row = rows; row-- > 0;) {
    text += fmt::format("{:>9}  ", row * slice);
    for (int step = -1; step <= steps; ++step) text += cell(buffers, step, row * slice, (row + 1) * slice);
    text += '\n';
  }
  for (size_t i = 0; i < buffers.size(); ++i)
    text += fmt::format("{} {} bytes: {}\n", letter_of(i), buffers[i].bytes, buffers[i].names);
  return text;
}

std::string arena_svg(const program::Program& program) {
  constexpr double width = 24, height = 320;
  const std::vector<Drawn> buffers = buffers_of(program);
  const double scale = height / static_cast<double>(std::max<int64_t>(top_of(buffers), 1));
  const double across = width * static_cast<double>(program.steps.size() + 2);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"9\">\n",
      across, height + 16);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Drawn& buffer = buffers[i];
    text += fmt::format(
        "<rect x=\"{}\" y=\"{:.2f}\" width=\"{}\" height=\"{:.2f}\" fill=\"hsl({}, 60%, 75%)\" stroke=\"#444\" "
        "stroke-width=\"0.5\"><title>{}: {} bytes at {}</title></rect>\n",
        (buffer.first + 1) * width, height - static_cast<double>(buffer.offset + buffer.bytes) * scale,
        (buffer.last - buffer.first + 1) * width, static_cast<double>(buffer.bytes) * scale, i * 137 % 360,
        xml_escaped(buffer.names), buffer.bytes, buffer.offset);
  }
  for (size_t step = 0; step < program.steps.size(); ++step)
    text +=
        fmt::format("<text x=\"{}\" y=\"{}\">{}<title>{}</title></text>\n", static_cast<double>(step + 1) * width + 8,
                    height + 11, step, xml_escaped(program.steps[step].name));
  return text + "</svg>\n";
}

}  // namespace nibble::verbs
