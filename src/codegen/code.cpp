#include "codegen/code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "codegen/literals.hpp"
#include "kernels/fields.h"

namespace nibble::codegen {

using program::Port;
using program::Step;

Code::Code(const program::Program& given, const machine::Machine& target, const Options& asked)
    : program(given), machine(target), options(asked), prefix(asked.prefix), upper(capitals(asked.prefix)) {
  // Names that generated functions use themselves.
  std::set<std::string> taken{"arena", "bytes", "fault", "step", "init", "run", "i", "at", "rest"};
  const auto unique = [&](const std::string& name, const std::string& otherwise) {
    std::string id = identifier(name, otherwise);
    for (int i = 2; !taken.insert(id).second; ++i) id = identifier(name, otherwise) + "_" + std::to_string(i);
    return id;
  };
  for (const Port& port : program.inputs) inputs.push_back(unique(port.value.name, "input"));
  for (const Port& port : program.outputs) outputs.push_back(unique(port.value.name, "output"));
  for (const Step& step : program.steps) kernels.push_back(&kernel_of(step, machine));
}

std::vector<int64_t> parameters_of(const Step& step) {
  std::vector<int64_t> block((nibble_fields_of(step.kind)->size + 7) / 8);
  const nibble_pointers places{nullptr,
                               [](void*, int64_t number) -> const void* {
                                 return number < 0 ? nullptr : reinterpret_cast<const void*>(uintptr_t{64});
                               },
                               nullptr};
  nibble_decode(step.kind, step.numbers.data(), &places, block.data());
  return block;
}

const Kernel& kernel_of(const Step& step, const machine::Machine& machine) {
  const std::vector<int64_t> parameters = parameters_of(step);
  const Kernel* kernel = kernel_for(machine.kernels, step.kind, parameters.data());
  if (kernel == nullptr)
    fail("codegen", "step '" + step.name + "'", "no kernel for it among the sets of machine '" + machine.name + "'",
         "a machine whose kernels end with 'reference'");
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

std::string capitals(std::string name) {
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string head(const Code& code) {
  return fmt::format("/* {}, for {}: written by Nibble. */\n",
                     code.program.name.empty() ? "A network" : comment(code.program.name), code.machine.name);
}

const program::Piece& piece_at(const Code& code, int64_t offset) {
  const auto& pieces = code.program.pieces;
  const auto found = std::find_if(pieces.begin(), pieces.end(), [&](const program::Piece& piece) {
    return offset >= piece.offset && (offset < piece.offset + piece.bytes || offset == piece.offset);
  });
  ensure(found != pieces.end(), "a step's constant is one of the program's pieces");
  return *found;
}

std::string piece_name(const Code& code, const program::Piece& piece) {
  return fmt::format("{}_c{}", code.prefix, piece.offset / 64);
}

std::string constant(const Code& code, int64_t offset) {
  const program::Piece& piece = piece_at(code, offset);
  if (offset == piece.offset) return piece_name(code, piece);
  return fmt::format("(const uint8_t*){} + {}", piece_name(code, piece), offset - piece.offset);
}

std::vector<size_t> memory_order(const program::Value& value) {
  std::vector<size_t> order(value.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value.strides[a] > value.strides[b]; });
  return order;
}

Shape laid(const program::Value& value) {
  Shape shape;
  for (size_t axis : memory_order(value)) shape.push_back(value.extents[axis]);
  return shape;
}

}  // namespace nibble::codegen
