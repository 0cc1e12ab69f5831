#include <algorithm>

#include "base/error.hpp"
#include "kernels/kernels.h"
#include "program/program.hpp"
#include "program/program_generated.h"

namespace nibble::program {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

int64_t packed(const Place& place) {
  if (place.where == Place::Where::Nowhere) return -1;
  return 2 * place.offset + (place.where == Place::Where::Constants ? 1 : 0);
}

Offset<file::Value> written(FlatBufferBuilder& builder, const Value& value) {
  return file::CreateValue(builder, builder.CreateString(value.name), static_cast<int8_t>(value.type),
                           builder.CreateVector(value.extents), builder.CreateVector(value.strides),
                           value.place.where == Place::Where::Constants, value.place.offset, value.batch);
}

Offset<file::Port> written(FlatBufferBuilder& builder, const Port& port) {
  const auto value = written(builder, port.value);
  return file::CreatePort(builder, value, builder.CreateVector(port.scale), port.axis, port.zero_point, port.low,
                          port.high, static_cast<int8_t>(port.rounding));
}

Offset<file::Step> written(FlatBufferBuilder& builder, const Step& step);

template <class List>
auto all_written(FlatBufferBuilder& builder, const List& list) {
  std::vector<decltype(written(builder, list[0]))> offsets;
  for (const auto& each : list) offsets.push_back(written(builder, each));
  return builder.CreateVector(offsets);
}

Offset<file::Step> written(FlatBufferBuilder& builder, const Step& step) {
  std::vector<int64_t> in;
  for (const Place& place : step.in) in.push_back(packed(place));
  const auto name = builder.CreateString(step.name), op = builder.CreateString(step.op);
  const auto requantisation = builder.CreateString(step.requantisation);
  const auto values = all_written(builder, step.values);
  return file::CreateStep(builder, static_cast<int16_t>(step.kind), name, op, builder.CreateVector(step.numbers),
                          builder.CreateVector(in), packed(step.out), values, step.operations, requantisation,
                          step.rows);
}

/// The file's index of a step that nobody was chosen for.
constexpr size_t nobody = 255;

Offset<file::Choices> written(FlatBufferBuilder& builder, const Choices& choices) {
  std::vector<Runner> runners;
  std::vector<uint8_t> of;
  for (const Runner& runner : choices.of) {
    const auto known = std::find(runners.begin(), runners.end(), runner);
    of.push_back(static_cast<uint8_t>(runner.name.empty() ? nobody : static_cast<size_t>(known - runners.begin())));
    if (!runner.name.empty() && known == runners.end()) runners.push_back(runner);
  }
  ensure(runners.size() <= nobody, "a program is tuned for fewer than 256 kernel sets and back ends");
  std::vector<Offset<file::Runner>> names;
  for (const Runner& runner : runners)
    names.push_back(file::CreateRunner(builder, builder.CreateString(runner.name), runner.backend));
  const auto machine = builder.CreateString(choices.machine);
  return file::CreateChoices(builder, choices_version, machine, builder.CreateVector(names), builder.CreateVector(of));
}

}  // namespace

std::vector<uint8_t> write(const Program& program) {
  ensure(!program.planned, "a program that is planned for one thread is no file");
  FlatBufferBuilder builder(program.constants.size() + 65536);
  std::vector<Offset<file::Entry>> entries;
  for (const auto& [key, value] : program.metadata)
    entries.push_back(file::CreateEntry(builder, builder.CreateString(key), builder.CreateString(value)));
  const auto metadata = builder.CreateVector(entries);
  const auto steps = all_written(builder, program.steps);
  const auto inputs = all_written(builder, program.inputs), outputs = all_written(builder, program.outputs);
  const auto name = builder.CreateString(program.name);
  std::vector<file::Buffer> buffers;
  for (const Buffer& buffer : program.buffers)
    buffers.emplace_back(buffer.offset, buffer.bytes, buffer.first, buffer.last);
  const auto plan = builder.CreateVectorOfStructs(buffers);
  const Offset<file::Choices> choices = program.choices ? written(builder, *program.choices) : 0;
  builder.ForceVectorAlignment(program.constants.size(), 1, 32);
  const auto constants = builder.CreateVector(program.constants);
  file::FinishProgramBuffer(
      builder, file::CreateProgram(builder, version, name, program.arena, program.lower_bound, program.scratch, steps,
                                   inputs, outputs, metadata, constants, plan, choices));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace nibble::program
