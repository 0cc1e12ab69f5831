#include "codegen/code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "codegen/literals.hpp"
#include "kernels/fields.h"
#include "kernels/packed/packed.h"
#include "program/parameters.hpp"

namespace nibble::codegen {

using program::Port;
using program::Step;

namespace {

/// The constants that are read most often for their size, together within the section.
std::set<int64_t> hot_constants(const Code& code) {
  std::map<const program::Piece*, double> reads;
  for (const Step& step : code.program.steps) {
    const int64_t stored = step.values.empty() ? 1 : element_count(step.values.back().extents);
    for (int64_t offset : constants_of(step)) {
      const bool weights = step.operations > 0 && step.kind == NIBBLE_KIND_CONV && offset == weights_of(step);
      reads[&piece_at(code, offset)] += static_cast<double>(weights ? step.operations : stored);
    }
  }
  std::vector<const program::Piece*> order = pieces(code);
  const auto heat = [&](const program::Piece* piece) {
    return reads[piece] / static_cast<double>(std::max<int64_t>(piece->bytes, 1));
  };
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return heat(a) > heat(b); });
  std::set<int64_t> hot;
  int64_t room = code.options.hot_bytes;
  for (const program::Piece* piece : order) {
    if (piece->bytes > room) continue;
    room -= piece->bytes;
    hot.insert(piece->offset);
  }
  return hot;
}

}  // namespace

PortNames port_names(const program::Program& program) {
  PortNames names;
  // By capitals: macros bear them too.
  std::set<std::string> taken;
  const auto unique = [&](const std::string& name, const std::string& otherwise) {
    std::string id = identifier(name, otherwise);
    if (is_reserved(id)) id.insert(0, otherwise + "_");
    const std::string first = id;
    for (int i = 2; !taken.insert(capitals(id)).second; ++i) id = first + "_" + std::to_string(i);
    return id;
  };
  for (const Port& port : program.inputs) names.inputs.push_back(unique(port.value.name, "input"));
  for (const Port& port : program.outputs) names.outputs.push_back(unique(port.value.name, "output"));
  return names;
}

Code::Code(const program::Program& given, const machine::Machine& target, const Options& asked)
    : program(given), machine(target), options(asked), prefix(asked.prefix), upper(capitals(asked.prefix)) {
  PortNames names = port_names(program);
  inputs = std::move(names.inputs);
  outputs = std::move(names.outputs);
  for (const Step& step : program.steps) kernels.push_back(&kernel_of(step, machine));
  external = external_weights(program, options.external_room);
  bytes = footprint(program, options);
  if (options.hot_bytes > 0) hot = hot_constants(*this);
}

std::vector<int64_t> constants_of(const Step& step) {
  std::vector<int64_t> offsets;
  for (const program::Place& place : step.in)
    if (in_constants(place)) offsets.push_back(place.offset);
  const nibble_kind_fields& of = *nibble_fields_of(step.kind);
  size_t at = 0;
  for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count))
    if (of.fields[i].type == NIBBLE_FIELD_POINTER && step.numbers[at] >= 0) offsets.push_back(step.numbers[at]);
  return offsets;
}

int64_t weights_of(const Step& step) {
  const nibble_kind_fields& of = *nibble_fields_of(step.kind);
  size_t at = 0;
  for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count))
    if (std::string_view(of.fields[i].name) == "weights") return step.numbers[at];
  return -1;
}

/// ", weights of 4 bits", of a convolution's.
static std::string width_of(const Step& step, const std::vector<int64_t>& parameters) {
  if (step.kind != NIBBLE_KIND_CONV) return {};
  return fmt::format(", weights of {} bits", reinterpret_cast<const nibble_conv*>(parameters.data())->w_bits);
}

const Kernel& kernel_of(const Step& step, const machine::Machine& machine) {
  const auto parts = program::parts_of(step.kind, step.numbers, step.rows);
  const Kernel* kernel = kernel_for(machine.kernels, step.kind, parts);
  if (kernel == nullptr) {
    const std::vector<int64_t> parameters = program::parameters_of(step.kind, step.numbers);
    std::string sets;
    for (const std::string& set : machine.kernels) sets += (sets.empty() ? "" : ", ") + set;
    fail("codegen", "step '" + step.name + "' (" + step.op + width_of(step, parameters) + ")",
         "no kernel for it among the sets of machine '" + machine.name + "': " + sets,
         "a machine whose kernels end with 'reference'");
  }
  return *kernel;
}

std::string extents_of(const Shape& extents) {
  std::string text;
  for (int64_t extent : extents) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "1" : text;
}

std::string c_type(int32_t type) {
  constexpr const char* names[] = {"int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t", "double"};
  return names[type - 1];
}

std::string element_type(int32_t type) {
  constexpr const char* packed[] = {"uint4", "int4", "uint2", "int2"};
  return nibble_is_packed(type) ? packed[type - NIBBLE_U4] : c_type(type);
}

std::string_view packed_kernel(const Step& step) {
  if (step.rows == 0) return {};
  return step.kind == NIBBLE_KIND_CONV ? "nibble_conv_packed" : "nibble_pool_packed";
}

std::string capitals(std::string name) {
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string head(const Code& code) {
  return fmt::format("/* {}, for {}: written by Nibble. */\n",
                     code.program.name.empty() ? "A network" : comment(code.program.name), code.machine.name);
}

bool in_arena(const program::Place& place) {
  return place.where == program::Place::Where::Arena;
}

bool in_constants(const program::Place& place) {
  return place.where == program::Place::Where::Constants;
}

Outside outside_at(const Code& code, const program::Place& place) {
  if (!in_arena(place) || place.offset < code.program.arena - NIBBLE_SLACK) return {};
  for (const program::Buffer& buffer : code.program.buffers) {
    if (place.offset < buffer.offset || place.offset >= buffer.offset + std::max<int64_t>(buffer.bytes, 1)) continue;
    const auto holds = [&](const Port& port) {
      return in_arena(port.value.place) && port.value.place.offset == buffer.offset;
    };
    for (size_t i = 0; i < code.program.inputs.size(); ++i)
      if (holds(code.program.inputs[i])) return {code.inputs[i], true, place.offset - buffer.offset};
    for (size_t i = 0; i < code.program.outputs.size(); ++i)
      if (holds(code.program.outputs[i])) return {code.outputs[i], false, place.offset - buffer.offset};
  }
  return {};
}

const program::Piece& piece_at(const Code& code, int64_t offset) {
  const program::Piece* found = nullptr;
  // One of no bytes stands where another begins.
  for (const program::Piece& piece : code.program.pieces)
    if (offset == piece.offset || (offset > piece.offset && offset < piece.offset + piece.bytes))
      if (found == nullptr || found->bytes == 0) found = &piece;
  ensure(found != nullptr, "a step's constant is one of the program's pieces");
  return *found;
}

std::string piece_name(const Code& code, const program::Piece& piece) {
  return fmt::format("{}_c{}", code.prefix, &piece - code.program.pieces.data());
}

std::string constant(const Code& code, int64_t offset) {
  const program::Piece& piece = piece_at(code, offset);
  if (offset == piece.offset) return piece_name(code, piece);
  return fmt::format("(const uint8_t*){} + {}", piece_name(code, piece), offset - piece.offset);
}

std::vector<size_t> memory_order(const program::Value& value) {
  std::vector<size_t> order(value.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return std::abs(value.strides[a]) > std::abs(value.strides[b]); });
  return order;
}

Shape laid(const program::Value& value) {
  Shape shape;
  for (size_t axis : memory_order(value)) shape.push_back(value.extents[axis]);
  return shape;
}

}  // namespace nibble::codegen
