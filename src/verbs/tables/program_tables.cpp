#include "verbs/tables/program_tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/fields.h"
#include "kernels/kernels.h"
#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

const char* name_of_type(int type) {
  constexpr const char* names[] = {"int8", "uint8", "int16", "uint16", "int32", "int64", "float64"};
  return type >= 1 && type <= 7 ? names[type - 1] : "none";
}

Shape shape_of(const program::Value& value) {
  Shape shape = value.extents;
  if (value.batch >= 0 && value.batch < static_cast<int>(shape.size())) shape[static_cast<size_t>(value.batch)] = any;
  return shape;
}

std::string kind_of(const program::Step& step) {
  const nibble_kind_fields* fields = nibble_fields_of(step.kind);
  std::string kind = fields == nullptr ? "none" : fields->kind;
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return std::tolower(c); });
  return kind;
}

nibble_step_info info_of(const nibble_program* loaded, size_t step) {
  nibble_step_info info;
  ensure(nibble_step(loaded, step, &info) == NIBBLE_OK, "a loaded program has its file's steps");
  return info;
}

void add_ports(Columns& columns, const std::vector<program::Port>& ports, const char* side) {
  for (const program::Port& port : ports) {
    const std::string scale = port.scale.empty()       ? ""
                              : port.scale.size() == 1 ? fmt::format("{:.6g}", port.scale.front())
                                                       : fmt::format("{} scales", port.scale.size());
    const bool real = port.value.type == NIBBLE_F64;
    columns.add({side, port.value.name, name_of_type(port.value.type), to_string(shape_of(port.value)), scale,
                 port.scale.empty() ? "" : std::to_string(port.zero_point),
                 real ? "" : fmt::format("{} .. {}", port.low, port.high)});
  }
}

bool within(const program::Place& place, const program::Buffer& buffer) {
  return place.where == program::Place::Where::Arena && place.offset >= buffer.offset &&
         place.offset < buffer.offset + std::max<int64_t>(buffer.bytes, 1);
}

/// The tensors that stand in a piece of the arena while it lives.
std::vector<std::string> tensors_in(const program::Program& program, const program::Buffer& buffer) {
  std::vector<std::string> names;
  const auto add = [&](const program::Value& value) {
    if (within(value.place, buffer) && std::count(names.begin(), names.end(), value.name) == 0)
      names.push_back(value.name);
  };
  if (buffer.first < 0)
    for (const program::Port& port : program.inputs) add(port.value);
  const auto steps = static_cast<int>(program.steps.size());
  for (int i = std::max(buffer.first, 0); i <= std::min(buffer.last, steps - 1); ++i)
    for (const program::Value& value : program.steps[static_cast<size_t>(i)].values) add(value);
  return names;
}

std::vector<program::Buffer> by_address(const program::Program& program) {
  std::vector<program::Buffer> buffers = program.buffers;
  std::sort(buffers.begin(), buffers.end(), [](const program::Buffer& a, const program::Buffer& b) {
    return std::pair(a.offset, a.first) < std::pair(b.offset, b.first);
  });
  return buffers;
}

std::string step_of(int step, const program::Program& program) {
  if (step < 0) return "input";
  return step >= static_cast<int>(program.steps.size()) ? "output" : std::to_string(step);
}

/// Where a buffer is only a step's own, the step.
std::string written(const std::vector<std::string>& tensors, const program::Buffer& buffer,
                    const program::Program& program) {
  if (!tensors.empty()) return fmt::format("{}", fmt::join(tensors, ", "));
  const bool step = buffer.first >= 0 && buffer.first < static_cast<int>(program.steps.size());
  return step ? fmt::format("(within {})", program.steps[static_cast<size_t>(buffer.first)].name) : "";
}

double ratio(const program::Program& program) {
  return program.lower_bound <= 0 ? 1 : static_cast<double>(program.arena) / static_cast<double>(program.lower_bound);
}

}  // namespace

std::string describe_ports(const program::Program& program) {
  Columns columns({{""},
                   {"name"},
                   {"type"},
                   {"shape"},
                   {"scale", Side::Right},
                   {"zero point", Side::Right},
                   {"integers", Side::Right}});
  add_ports(columns, program.inputs, "input");
  add_ports(columns, program.outputs, "output");
  return columns.text();
}

Json ports_json(const std::vector<program::Port>& ports) {
  Json list = Json::array();
  for (const program::Port& port : ports) {
    Json shape = Json::array();
    for (int64_t extent : shape_of(port.value)) shape.push_back(extent == any ? Json("N") : Json(extent));
    Json json = {{"name", port.value.name}, {"type", name_of_type(port.value.type)}, {"shape", shape}};
    if (port.value.type != NIBBLE_F64) json["low"] = port.low, json["high"] = port.high;
    if (!port.scale.empty()) {
      json["scale"] = port.scale.size() == 1 ? Json(port.scale.front()) : Json(port.scale);
      json["zero_point"] = port.zero_point;
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::string describe_steps(const program::Program& program, const nibble_program* loaded) {
  Columns columns({{"step", Side::Right},
                   {"name"},
                   {"op"},
                   {"kind"},
                   {"set"},
                   {"kernel"},
                   {"requantisation"},
                   {"MACs", Side::Right}});
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const program::Step& step = program.steps[i];
    const nibble_step_info info = info_of(loaded, i);
    columns.add({std::to_string(i), step.name, step.op, kind_of(step), info.set, info.kernel, step.requantisation,
                 step.operations == 0 ? "" : std::to_string(step.operations)});
  }
  return columns.text();
}

Json steps_json(const program::Program& program, const nibble_program* loaded) {
  Json list = Json::array();
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const program::Step& step = program.steps[i];
    const nibble_step_info info = info_of(loaded, i);
    Json outputs = Json::array();
    for (const program::Value& value : step.values) outputs.push_back(value.name);
    list.push_back({{"name", step.name},
                    {"op", step.op},
                    {"kind", kind_of(step)},
                    {"set", info.set},
                    {"kernel", info.kernel},
                    {"requantisation", step.requantisation},
                    {"macs", step.operations},
                    {"bytes", info.bytes},
                    {"outputs", outputs}});
    if (*info.why != 0) list.back()["why"] = info.why;
  }
  return list;
}

namespace {

/// Of back ends that `tune` chose: a step has a reason where its own is not to be had.
std::string describe_chosen(const nibble_program* loaded) {
  std::string text;
  std::vector<std::string> missed;
  size_t taken = 0;
  for (size_t i = 0; i < nibble_steps(loaded); ++i) {
    const nibble_step_info info = info_of(loaded, i);
    bool kernels = false;
    for (size_t k = 0; const char* name = nibble_kernel_set_name(k); ++k)
      kernels = kernels || std::string_view(info.set) == name;
    taken += kernels ? 0 : 1;
    if (*info.why != 0) missed.push_back(fmt::format("  {} {}: {}\n", i, info.name, info.why));
  }
  return fmt::format("{} of {} steps go to the back ends chosen for them{}\n{}", taken, nibble_steps(loaded),
                     missed.empty() ? "" : "; not", fmt::join(missed, ""));
}

}  // namespace

std::string describe_backends(const nibble_program* loaded, const std::vector<std::string>& asked) {
  if (asked.empty()) return "";
  if (asked == std::vector<std::string>{"auto"}) return describe_chosen(loaded);
  std::string refusals;
  size_t refused = 0;
  for (size_t i = 0; i < nibble_steps(loaded); ++i) {
    const nibble_step_info info = info_of(loaded, i);
    if (*info.why == 0) continue;
    ++refused;
    refusals += fmt::format("  {} {}: {}\n", i, info.name, info.why);
  }
  const size_t steps = nibble_steps(loaded);
  return fmt::format("{} of {} steps go to {}{}\n{}", steps - refused, steps, fmt::join(asked, ", "),
                     refused == 0 ? "" : "; not", refusals);
}

std::string describe_memory(const program::Program& program) {
  Columns columns({{"tensor"},
                   {"offset", Side::Right},
                   {"bytes", Side::Right},
                   {"first step", Side::Right},
                   {"last", Side::Right}});
  for (const program::Buffer& buffer : by_address(program))
    columns.add({written(tensors_in(program, buffer), buffer, program), std::to_string(buffer.offset),
                 std::to_string(buffer.bytes), step_of(buffer.first, program), step_of(buffer.last, program)});
  return columns.text();
}

Json memory_json(const program::Program& program) {
  Json list = Json::array();
  for (const program::Buffer& buffer : by_address(program))
    list.push_back({{"tensors", tensors_in(program, buffer)},
                    {"offset", buffer.offset},
                    {"bytes", buffer.bytes},
                    {"first", buffer.first},
                    {"last", buffer.last}});
  return list;
}

std::string describe_sizes(const program::Program& program) {
  return fmt::format("arena {} bytes, {:.3f} of the {} that no plan can go below; scratch {} a thread; constants {}",
                     program.arena, ratio(program), program.lower_bound, program.scratch, program.constants.size());
}

Json sizes_json(const program::Program& program) {
  return {{"arena", program.arena},
          {"lower_bound", program.lower_bound},
          {"ratio", ratio(program)},
          {"scratch", program.scratch},
          {"constants", program.constants.size()}};
}

}  // namespace nibble::verbs
