#include "lab/loaded_program.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::lab {
namespace {

constexpr int most_threads = 64;

std::string kernel_sets() {
  std::string names;
  for (size_t i = 0; const char* name = nibble_kernel_set_name(i); ++i)
    names += (i == 0 ? "" : ", ") + std::string(name);
  return names;
}

const char* asked(const RuntimeOptions& options) {
  return options.kernels.empty() ? nullptr : options.kernels.c_str();
}

std::string set_of(const RuntimeOptions& options) {
  if (!options.kernels.empty()) return options.kernels;
  const char* named = std::getenv("NIBBLE_KERNELS");
  return named != nullptr && *named != 0 ? named : nibble_kernel_set_name(0);
}

/// What is left of `status` for every way to load.
void accept(nibble_status status, const std::string& message) {
  if (status == NIBBLE_NO_MEMORY) throw std::bad_alloc();
  if (status != NIBBLE_OK) throw InternalError("the runtime takes what was lowered: " + message);
}

graph::ValueId add_value(graph::Graph& network, std::map<std::string, graph::ValueId>& known,
                         const program::Value& value) {
  const auto found = known.find(value.name);
  if (found != known.end()) return found->second;
  Shape shape = value.extents;
  if (value.batch >= 0 && value.batch < static_cast<int>(shape.size())) shape[static_cast<size_t>(value.batch)] = any;
  const graph::ValueId id = network.add_value(value.name, element_of(value.type), std::move(shape));
  known.emplace(value.name, id);
  return id;
}

graph::ValueId add_port(graph::Graph& network, std::map<std::string, graph::ValueId>& known,
                        const program::Port& port) {
  const graph::ValueId id = add_value(network, known, port.value);
  graph::Value& value = network[id];
  if (is_real(value.type)) return id;
  value.bounds = {{port.low, port.high}};
  if (!port.scale.empty()) value.grid = Grid{port.scale, port.axis, port.zero_point, port.low, port.high};
  return id;
}

}  // namespace

std::vector<std::vector<std::byte>> drawn_inputs(const LoadedProgram& program, Random& random) {
  std::vector<std::vector<std::byte>> inputs;
  for (size_t i = 0; i < nibble_inputs(program.program()); ++i) {
    nibble_port port;
    ensure(nibble_input(program.program(), i, &port) == NIBBLE_OK, "an input has a port");
    Tensor tensor(ElementType::Float64, {static_cast<int64_t>(port.elements)});
    const auto low = static_cast<double>(port.low), high = static_cast<double>(port.high);
    const bool real = element_of(port.type) == ElementType::Float64;
    for (double& x : tensor.as<double>())
      x = real ? random.uniform() : std::clamp(std::floor(low + (high - low + 1) * random.uniform()), low, high);
    const Tensor typed = tensor.cast(element_of(port.type));
    inputs.emplace_back(typed.bytes().begin(), typed.bytes().end());
  }
  return inputs;
}

void set_inputs(const LoadedProgram& program, const std::vector<std::vector<std::byte>>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    ensure(nibble_set(program.context(), i, inputs[i].data()) == NIBBLE_OK, "drawn inputs are in range");
}

ElementType element_of(int type) {
  // Packed elements are shown as bytes.
  constexpr ElementType types[] = {ElementType::Int8,  ElementType::UInt8, ElementType::Int16,   ElementType::UInt16,
                                   ElementType::Int32, ElementType::Int64, ElementType::Float64, ElementType::UInt8,
                                   ElementType::Int8,  ElementType::UInt8, ElementType::Int8};
  ensure(type >= 1 && type <= 11, "a program's tensor has a type");
  return types[type - 1];
}

void require_kernels(const RuntimeOptions& options) {
  const std::string set = set_of(options);
  for (size_t i = 0; const char* name = nibble_kernel_set_name(i); ++i)
    if (set == name) return;
  fail("runtime", "kernels", "no set '" + set + "' that this CPU runs", kernel_sets());
}

LoadedProgram::LoadedProgram(std::span<const uint8_t> bytes, const RuntimeOptions& options) {
  require_kernels(options);
  char message[512] = "";
  nibble_program* program = nullptr;
  const nibble_status status =
      nibble_open_memory(bytes.data(), bytes.size(), asked(options), &program, message, sizeof message);
  accept(status, message);
  take(program, options);
}

LoadedProgram::LoadedProgram(const std::filesystem::path& file, const RuntimeOptions& options) {
  require_kernels(options);
  char message[512] = "";
  nibble_program* program = nullptr;
  std::error_code unknown;
  const bool piped = std::filesystem::is_fifo(file, unknown);
  const std::string bytes = piped ? read_file(file, "runtime") : std::string();
  const nibble_status status =
      piped ? nibble_open_memory(bytes.data(), bytes.size(), asked(options), &program, message, sizeof message)
            : nibble_open(file.c_str(), asked(options), &program, message, sizeof message);
  if (status == NIBBLE_NO_FILE) fail("runtime", file.string(), "cannot be opened or mapped", "a .nib file");
  if (status == NIBBLE_BAD_PROGRAM) fail("runtime", file.string(), message);
  accept(status, message);
  take(program, options);
}

void LoadedProgram::take(nibble_program* program, const RuntimeOptions& options) {
  program_.reset(program);
  char message[1024] = "";
  for (const std::string& name : options.backends)
    if (nibble_use_backend(program, name.c_str(), nullptr, message, sizeof message) != NIBBLE_OK)
      fail("runtime", "back end '" + name + "'", message,
           "a library NAME.so of NIBBLE_BACKENDS, or a path with a slash");
  threads_ = std::clamp(options.threads, 1, most_threads);
  nibble_context* context = nullptr;
  if (nibble_context_create(program, threads_, &context) != NIBBLE_OK) throw std::bad_alloc();
  context_.reset(context);
  kernels_ = set_of(options);
}

program::Program read_program(const std::filesystem::path& file) {
  const std::string bytes = read_file(file, "program");
  return program::read(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), file.string());
}

graph::Graph network_of(const program::Program& program) {
  graph::Graph network;
  network.name = program.name;
  network.stage = graph::Stage::ID;
  network.metadata = program.metadata;
  std::map<std::string, graph::ValueId> known;
  for (const program::Port& port : program.inputs) network.inputs.push_back(add_port(network, known, port));
  for (const program::Step& step : program.steps)
    for (const program::Value& value : step.values) add_value(network, known, value);
  for (const program::Port& port : program.outputs) network.outputs.push_back(add_port(network, known, port));
  return network;
}

}  // namespace nibble::lab
