#include <fmt/format.h>

#include <cstring>
#include <numeric>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/random.hpp"
#include "codegen/generate.hpp"
#include "kernels/kernels.h"
#include "lower/lower.hpp"
#include "verbs/goldens/golden_writer.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"
#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

/// How generated code computes: integers alone, weights in as few bits as they have levels, results over what they are
/// made of where the machine's kernels allow.
lower::Options small_machine(const machine::Machine& machine) {
  lower::Options options;
  options.floats = false;
  options.weights = lower::Weights::Folded;
  options.pack = true;
  options.bytes = lower::Bytes::AsTheyAre;
  options.order = codegen::orders_of(machine);
  options.alignment = 8;
  return options;
}

/// How many strips `--strips` asks for, 0 where it leaves that open.
int strips_of(const Call& call) {
  return call.text("strips", "auto") == "auto" ? 0 : static_cast<int>(call.integer("strips", 0, 1, 1024));
}

/// What strips take and give: nothing where there are none.
Json strips_table(const graph::Graph& graph, lower::Options options, const program::Program& program) {
  options.strips = 1;
  const program::Program whole = lower::lower(graph, options);
  if (whole.steps.size() == program.steps.size()) return nullptr;
  const auto operations = [](const program::Program& of) {
    int64_t sum = 0;
    for (const program::Step& step : of.steps) sum += step.operations;
    return sum;
  };
  return {{"steps_more", program.steps.size() - whole.steps.size()},
          {"arena_without", codegen::footprint(whole).arena},
          {"operations", operations(program)},
          {"operations_without", operations(whole)}};
}

std::string strips_text(const Json& strips) {
  if (strips.is_null()) return {};
  const double more = strips["operations"].get<double>() / std::max(strips["operations_without"].get<double>(), 1.0);
  return fmt::format("strips: {} steps more and {:.1f} % more multiply-accumulates, for an arena that had {} bytes\n",
                     strips["steps_more"].get<int64_t>(), 100 * (more - 1), strips["arena_without"].get<int64_t>());
}

/// The tensor's bytes in the port's type, in the order in which memory holds them.
std::vector<uint8_t> laid_bytes(const Tensor& tensor, const program::Value& value) {
  constexpr ElementType types[] = {ElementType::Int8,  ElementType::UInt8, ElementType::Int16,  ElementType::UInt16,
                                   ElementType::Int32, ElementType::Int64, ElementType::Float64};
  const Tensor typed = tensor.cast(types[value.type - 1]);
  const size_t size = size_of(typed.type());
  std::vector<size_t> order(value.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value.strides[a] > value.strides[b]; });
  std::vector<int64_t> to(value.extents.size());
  int64_t stride = 1;
  for (size_t k = order.size(); k-- > 0; stride *= value.extents[order[k]]) to[order[k]] = stride;
  std::vector<uint8_t> bytes(typed.bytes().size());
  for (size_t i = 0; i < typed.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    int64_t at = 0;
    for (size_t axis = value.extents.size(); axis-- > 0; rest /= value.extents[axis])
      at += rest % value.extents[axis] * to[axis];
    std::memcpy(bytes.data() + static_cast<size_t>(at) * size, typed.bytes().data() + i * size, size);
  }
  return bytes;
}

/// Inputs drawn over all that the network takes; of wide integers over bytes, whose sums are in no danger.
std::vector<Tensor> drawn_inputs(const program::Program& program, Random& random) {
  std::vector<Tensor> inputs;
  for (const program::Port& port : program.inputs) {
    Tensor tensor(port.value.type == NIBBLE_F64 ? ElementType::Float64 : ElementType::Int64, port.value.extents);
    const bool wide = port.low < -65536 || port.high > 65536;
    const int64_t low = wide ? std::max<int64_t>(port.low, -128) : port.low;
    const auto range = static_cast<uint64_t>((wide ? std::min<int64_t>(port.high, 127) : port.high) - low + 1);
    for (size_t i = 0; i < tensor.size(); ++i) {
      if (port.value.type == NIBBLE_F64)
        tensor.as<double>()[i] = random.normal();
      else
        tensor.as<int64_t>()[i] = low + static_cast<int64_t>(random.below(range));
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

/// Inferences whose results the definition gives: of data where the call names some, else drawn.
std::vector<codegen::Golden> goldens_of(const Call& call, const graph::Graph& graph, const program::Program& program) {
  std::vector<std::vector<Tensor>> examples;
  const int64_t count = call.integer("samples", 2, 0, 1000);
  if (call.has("golden")) {
    Progress progress(call.quiet());
    lab::Feed feed = feed_of(call, graph, progress, "goldens", "golden");
    feed.limit = count;
    feed.batch_size = 1;
    feed.each([&](const data::Batch& batch) { examples.push_back(batch.inputs()); });
  } else {
    Random random(call.seed().value_or(1));
    for (int64_t i = 0; i < count; ++i) examples.push_back(drawn_inputs(program, random));
  }
  std::vector<codegen::Golden> goldens;
  for (const std::vector<Tensor>& given : examples) {
    codegen::Golden golden;
    const std::vector<Tensor> inputs = graph::prepare_inputs(graph, given), outputs = graph::evaluate(graph, given);
    for (size_t i = 0; i < inputs.size(); ++i) golden.inputs.push_back(laid_bytes(inputs[i], program.inputs[i].value));
    for (size_t i = 0; i < outputs.size(); ++i)
      golden.outputs.push_back(laid_bytes(outputs[i], program.outputs[i].value));
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

/// Refuses what the machine's memories do not hold, before anything is written.
void check_fit(const codegen::Footprint& bytes, const machine::Machine& machine) {
  const auto check = [&](int64_t needed, const char* what, const char* kind, const char* advice) {
    const int64_t there = machine.bytes_for(kind);
    if (there >= 0 && needed > there)
      fail("verbs", "machine '" + machine.name + "'",
           fmt::format("{} of {} bytes, {} more than there are", what, needed, needed - there),
           fmt::format("at most {}; {}", there, advice));
  };
  check(bytes.constants, "constants", "constants", "'nibble quantize --fit weights=BYTES' cuts the bits of weights");
  check(bytes.arena, "an arena", "activations",
        "'nibble quantize --fit activations=BYTES' cuts the bits of activations");
}

}  // namespace

Result generate(const Call& call) {
  const graph::Graph graph = model_of(call, "ID.onnx");
  const machine::Machine machine = machine::machine_named(call.text("machine", "host"));
  lower::Options lowering = small_machine(machine);
  lowering.strips = strips_of(call);
  const program::Program program = lower::lower(graph, lowering);
  const codegen::Footprint bytes = codegen::footprint(program);
  check_fit(bytes, machine);
  codegen::Options options;
  options.prefix = call.text("prefix", "model");
  options.goldens = goldens_of(call, graph, program);
  const auto files = codegen::generate(program, machine, options);
  const fs::path folder = call.path("output");
  for (const auto& [name, text] : files) {
    std::error_code error;
    fs::create_directories((folder / name).parent_path(), error);
    if (error) fail("verbs", (folder / name).parent_path().string(), error.message(), "a folder that can be made");
    write_file(folder / name, text, "verbs");
  }
  Result result;
  result.json = {{"output", folder.string()}, {"machine", machine.name},  {"constants", bytes.constants},
                 {"arena", bytes.arena},      {"scratch", bytes.scratch}, {"goldens", options.goldens.size()},
                 {"files", Json::array()},    {"kernels", Json::array()}};
  result.json["strips"] = lowering.strips == 1 ? Json() : strips_table(graph, lowering, program);
  for (const auto& [name, text] : files) result.json["files"].push_back(name);
  for (const codegen::Choice& choice : codegen::kernels_for(program, machine))
    result.json["kernels"].push_back(choice.function);
  result.text = fmt::format(
      "constants {} bytes, arena {} bytes ({} of them scratch), {} steps, {} goldens\nwrote {} files below {}\n",
      bytes.constants, bytes.arena, bytes.scratch, program.steps.size(), options.goldens.size(), files.size(),
      folder.string());
  result.text = strips_text(result.json["strips"]) + result.text;
  return result;
}

Result machines(const Call&) {
  Result result;
  result.json = Json::array();
  Columns columns({{"machine"}, {"kernels"}, {"code and constants"}, {"activations"}, {"what it is"}});
  for (const machine::Machine& machine : machine::machines()) {
    std::string sets;
    for (const std::string& set : machine.kernels) sets += (sets.empty() ? "" : " ") + set;
    const auto bytes = [&](std::string_view what) {
      const int64_t there = machine.bytes_for(what);
      return there < 0 ? std::string("-") : fmt::format("{} KB", there / 1024);
    };
    columns.add({machine.name, sets, bytes("constants"), bytes("activations"), machine.description});
    result.json.push_back({{"name", machine.name},
                           {"description", machine.description},
                           {"kernels", machine.kernels},
                           {"constants", machine.bytes_for("constants")},
                           {"activations", machine.bytes_for("activations")}});
  }
  result.text = columns.text();
  return result;
}

}  // namespace nibble::verbs
