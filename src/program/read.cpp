#include "base/error.hpp"
#include "program/program.hpp"
#include "program/program_generated.h"

namespace nibble::program {
namespace {

Place unpacked(int64_t number) {
  if (number < 0) return {};
  return {number % 2 != 0 ? Place::Where::Constants : Place::Where::Arena, number / 2};
}

std::string text(const flatbuffers::String* string) {
  return string == nullptr ? std::string() : string->str();
}

template <class T>
std::vector<T> list(const flatbuffers::Vector<T>* vector) {
  if (vector == nullptr) return {};
  return {vector->begin(), vector->end()};
}

Value read_value(const file::Value& from) {
  return {text(from.name()),
          from.type(),
          list(from.extents()),
          list(from.strides()),
          {from.constant() ? Place::Where::Constants : Place::Where::Arena, from.offset()},
          from.batch()};
}

Port read_port(const file::Port& from) {
  Port port{from.value() == nullptr ? Value{} : read_value(*from.value()),
            list(from.scale()),
            from.axis(),
            from.zero_point(),
            from.low(),
            from.high(),
            static_cast<Rounding>(from.rounding())};
  return port;
}

Step read_step(const file::Step& from) {
  Step step;
  step.kind = from.kind();
  step.name = text(from.name());
  step.op = text(from.op());
  step.numbers = list(from.numbers());
  for (int64_t place : list(from.in())) step.in.push_back(unpacked(place));
  step.out = unpacked(from.out());
  if (from.values() != nullptr)
    for (const file::Value* value : *from.values()) step.values.push_back(read_value(*value));
  step.operations = from.operations();
  step.requantisation = text(from.requantisation());
  step.rows = from.rows();
  return step;
}

Choices read_choices(const file::Choices& from, size_t steps, const std::string& place) {
  if (from.version() != choices_version)
    fail("program", place, "choices of version " + std::to_string(from.version()), std::to_string(choices_version));
  const std::vector<uint8_t> of = list(from.of());
  const size_t count = from.runners() == nullptr ? 0 : from.runners()->size();
  if (of.size() != steps) fail("program", place, "choices of other steps", "a whole .nib file");
  Choices choices{text(from.machine()), {}};
  for (const uint8_t index : of) {
    if (index != UINT8_MAX && index >= count) fail("program", place, "a choice of nobody", "a whole .nib file");
    const file::Runner* runner = index == UINT8_MAX ? nullptr : from.runners()->Get(index);
    choices.of.push_back(runner == nullptr ? Runner{} : Runner{text(runner->name()), runner->backend()});
  }
  return choices;
}

}  // namespace

Program read(std::span<const uint8_t> bytes, const std::string& place) {
  if (bytes.size() < 16 || !file::ProgramBufferHasIdentifier(bytes.data()))
    fail("program", place, "no program", "a .nib file, as 'nibble compile' writes");
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 10'000'000);
  if (!file::VerifyProgramBuffer(verifier)) fail("program", place, "a damaged program", "a whole .nib file");
  const file::Program& from = *file::GetProgram(bytes.data());
  if (from.version() != version)
    fail("program", place, "version " + std::to_string(from.version()), std::to_string(version));
  Program program;
  program.name = text(from.name());
  program.arena = from.arena();
  program.lower_bound = from.lower_bound();
  program.scratch = from.scratch();
  if (from.steps() != nullptr)
    for (const file::Step* step : *from.steps()) program.steps.push_back(read_step(*step));
  if (from.inputs() != nullptr)
    for (const file::Port* port : *from.inputs()) program.inputs.push_back(read_port(*port));
  if (from.outputs() != nullptr)
    for (const file::Port* port : *from.outputs()) program.outputs.push_back(read_port(*port));
  if (from.metadata() != nullptr)
    for (const file::Entry* entry : *from.metadata())
      program.metadata.emplace(text(entry->key()), text(entry->value()));
  program.constants = list(from.constants());
  if (from.buffers() != nullptr)
    for (const file::Buffer* buffer : *from.buffers())
      program.buffers.push_back({buffer->offset(), buffer->bytes(), buffer->first(), buffer->last()});
  if (from.choices() != nullptr) program.choices = read_choices(*from.choices(), program.steps.size(), place);
  return program;
}

}  // namespace nibble::program
