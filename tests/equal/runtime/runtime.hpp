#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "graph/text.hpp"
#include "lower/lower.hpp"
#include "runtime/nibble.h"

/// A graph through lowering, file and runtime, compared with its meaning.
namespace nibble::tests {

struct Way {
  lower::Options options;
  const char* kernels = nullptr;
  int threads = 1;
  std::string text() const {
    constexpr const char* weights[] = {"plain", "blocked", "folded"};
    constexpr const char* signs[] = {"", " unsigned", " signed"};
    return std::string(weights[static_cast<size_t>(options.weights)]) + (options.floats ? " floats" : "") +
           (options.pack ? " packed" : "") +
           (options.pack_activations == lower::PackActivations::Never ? "" : " packed activations") +
           (options.fuse ? " fused" : "") + signs[static_cast<size_t>(options.bytes)] + ", kernels " +
           (kernels ? kernels : "") + ", threads " + std::to_string(threads);
  }
};

struct Release {
  void operator()(nibble_program* program) const { nibble_release(program); }
  void operator()(nibble_context* context) const { nibble_context_release(context); }
};
using ProgramPointer = std::unique_ptr<nibble_program, Release>;
using ContextPointer = std::unique_ptr<nibble_context, Release>;

/// The integers (or reals) of a port's bytes, as the evaluator holds them.
inline Tensor widened(const nibble_port& port, const std::byte* bytes) {
  constexpr ElementType types[] = {ElementType::Int8,  ElementType::UInt8, ElementType::Int16,  ElementType::UInt16,
                                   ElementType::Int32, ElementType::Int64, ElementType::Float64};
  Tensor tensor(types[port.type - 1], Shape(port.shape, port.shape + port.rank));
  if (port.bytes > 0) std::memcpy(tensor.bytes().data(), bytes, port.bytes);
  return tensor.cast(is_real(tensor.type()) ? ElementType::Float64 : ElementType::Int64);
}

/// The bytes that a port takes.
inline std::vector<std::byte> narrowed(const nibble_port& port, const Tensor& tensor) {
  constexpr ElementType types[] = {ElementType::Int8,  ElementType::UInt8, ElementType::Int16,  ElementType::UInt16,
                                   ElementType::Int32, ElementType::Int64, ElementType::Float64};
  const Tensor narrow = tensor.cast(types[port.type - 1]);
  return {narrow.bytes().begin(), narrow.bytes().end()};
}

inline ProgramPointer opened(const std::vector<uint8_t>& bytes, const char* kernels = nullptr) {
  char message[512] = "";
  nibble_program* program = nullptr;
  const nibble_status status =
      nibble_open_memory(bytes.data(), bytes.size(), kernels, &program, message, sizeof message);
  EXPECT_EQ(status, NIBBLE_OK) << message;
  return ProgramPointer(program);
}

inline ContextPointer context_of(const nibble_program* program, int threads = 1) {
  nibble_context* context = nullptr;
  EXPECT_EQ(nibble_context_create(program, threads, &context), NIBBLE_OK);
  return ContextPointer(context);
}

inline void set_inputs(const nibble_program* program, nibble_context* context, const std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    nibble_port port;
    ASSERT_EQ(nibble_input(program, i, &port), NIBBLE_OK);
    ASSERT_EQ(nibble_set(context, i, narrowed(port, inputs[i]).data()), NIBBLE_OK);
  }
}

inline std::vector<Tensor> outputs_of(const nibble_program* program, nibble_context* context) {
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < nibble_outputs(program); ++i) {
    nibble_port port;
    EXPECT_EQ(nibble_output(program, i, &port), NIBBLE_OK);
    std::vector<std::byte> bytes(port.bytes + 1);
    EXPECT_EQ(nibble_get(context, i, bytes.data()), NIBBLE_OK);
    outputs.push_back(widened(port, bytes.data()));
  }
  return outputs;
}

/// Values by name.
using Values = std::map<std::string, Tensor, std::less<>>;

inline void keep_seen(void* user, const nibble_seen* what) {
  std::vector<std::byte> bytes(what->port.bytes + 1);
  nibble_copy_seen(what, bytes.data());
  static_cast<Values*>(user)->insert_or_assign(what->port.name, widened(what->port, bytes.data()));
}

/// What the evaluator makes of the inputs: outputs, and every value by its name.
struct Meaning {
  std::vector<Tensor> inputs, outputs;
  Values values;
};

inline Meaning meaning_of(const graph::Graph& graph, std::vector<Tensor> inputs) {
  Meaning meaning;
  meaning.inputs = std::move(inputs);
  meaning.outputs = graph::evaluate(graph, meaning.inputs, [&](graph::ValueId id, const Tensor& tensor) {
    meaning.values.insert_or_assign(graph[id].name, tensor);
  });
  return meaning;
}

/// Which steps give other integers on this kernel set than on the reference.
inline std::string steps_that_differ(const std::vector<uint8_t>& bytes, const Way& way, const Meaning& meaning) {
  Values seen[2];
  std::string kernels;
  for (size_t i = 0; i < 2; ++i) {
    const ProgramPointer program = opened(bytes, i == 0 ? way.kernels : "reference");
    const ContextPointer context = context_of(program.get(), way.threads);
    nibble_observe(context.get(), keep_seen, &seen[i]);
    set_inputs(program.get(), context.get(), meaning.inputs);
    nibble_run(context.get());
    nibble_step_info info;
    for (size_t k = 0; i == 0 && nibble_step(program.get(), k, &info) == NIBBLE_OK; ++k)
      kernels += std::string(info.name) + " by " + info.kernel + " of " + info.set + " (" + info.requantisation + "); ";
  }
  std::string text = "other than the reference:";
  for (const auto& [name, tensor] : seen[0])
    if (tensor != seen[1].at(name)) text += " " + name;
  return text + "\n" + kernels;
}

inline std::string first_elements(const Tensor& tensor) {
  std::string text = to_string(tensor.shape()) + ":";
  const std::vector<double> numbers = tensor.to_reals();
  for (size_t i = 0; i < std::min<size_t>(numbers.size(), 64); ++i) text += " " + std::to_string(numbers[i]);
  return text;
}

/// Every value that the program keeps, and every output, of each of the meanings in turn on one context.
inline void expect_meaning(const std::vector<uint8_t>& bytes, const Way& way, const std::vector<Meaning>& meanings) {
  SCOPED_TRACE(way.text());
  const ProgramPointer program = opened(bytes, way.kernels);
  ASSERT_NE(program, nullptr);
  const ContextPointer context = context_of(program.get(), way.threads);
  ASSERT_NE(context, nullptr);
  for (const Meaning& meaning : meanings) {
    Values seen;
    nibble_observe(context.get(), keep_seen, &seen);
    ASSERT_NO_FATAL_FAILURE(set_inputs(program.get(), context.get(), meaning.inputs));
    ASSERT_EQ(nibble_run(context.get()), NIBBLE_OK);
    // Bytes that are held in another sign are not the network's.
    if (way.options.bytes != lower::Bytes::AsTheyAre) seen.clear();
    for (const auto& [name, tensor] : seen)
      ASSERT_TRUE(tensor == meaning.values.at(name))
          << "value '" << name << "', " << steps_that_differ(bytes, way, meaning) << "\nfound    "
          << first_elements(tensor) << "\nexpected " << first_elements(meaning.values.at(name));
    const std::vector<Tensor> outputs = outputs_of(program.get(), context.get());
    ASSERT_EQ(outputs.size(), meaning.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      ASSERT_TRUE(outputs[i] == meaning.outputs[i])
          << "output " << i << ", " << steps_that_differ(bytes, way, meaning) << "\nfound    "
          << first_elements(outputs[i]) << "\nexpected " << first_elements(meaning.outputs[i]);
  }
}

/// Steps so large in the program's words that each is worth its threads.
inline program::Program for_threads(program::Program program) {
  for (program::Step& step : program.steps) step.operations += 1000000;
  return program;
}

inline std::vector<const char*> kernel_sets() {
  std::vector<const char*> names;
  for (size_t i = 0; nibble_kernel_set_name(i) != nullptr; ++i) names.push_back(nibble_kernel_set_name(i));
  return names;
}

/// Plain steps one by one, fused ones, and what machines want: each alone, and all together; some with packed activations.
inline std::vector<lower::Options> options_to_try() {
  using lower::Bytes, lower::Weights;
  std::vector<lower::Options> ways{
      {false, Weights::Plain, false, false, Bytes::AsTheyAre}, {true, Weights::Plain, false, true, Bytes::AsTheyAre},
      {true, Weights::Blocked, false, true, Bytes::Unsigned},  {true, Weights::Blocked, true, true, Bytes::Signed},
      {false, Weights::Folded, true, true, Bytes::AsTheyAre},  {true, Weights::Blocked, false, false, Bytes::AsTheyAre},
      {false, Weights::Folded, false, true, Bytes::Signed},    {true, Weights::Blocked, true, false, Bytes::Unsigned}};
  for (const size_t i : {1, 3, 4}) ways[i].pack_activations = lower::PackActivations::Always;
  return ways;
}

/// Options, kernel sets and 1 and 3 threads, each with each.
inline void expect_every_way(const graph::Graph& graph, const std::vector<Meaning>& meanings) {
  for (const lower::Options& options : options_to_try()) {
    const program::Program program = lower::lower(graph, options);
    for (const char* set : kernel_sets())
      for (int threads : {1, 3}) {
        expect_meaning(program::write(threads == 1 ? program : for_threads(program)), {options, set, threads},
                       meanings);
        if (testing::Test::HasFatalFailure()) return;
      }
  }
}

/// The same with random inputs, or the ends of their ranges.
inline void expect_every_way(const graph::Graph& graph, uint64_t seed = 1) {
  std::vector<Meaning> meanings;
  for (int round = 0; round < 4; ++round) {
    Random random(seed + static_cast<uint64_t>(round));
    std::vector<Tensor> inputs;
    for (graph::ValueId id : graph.inputs) {
      const Interval range =
          graph[id].grid ? Interval{graph[id].grid->low, graph[id].grid->high} : graph[id].bounds.front();
      Shape extents = graph[id].shape;
      std::replace(extents.begin(), extents.end(), any, int64_t{1});
      Tensor tensor(ElementType::Int64, extents);
      for (int64_t& value : tensor.as<int64_t>()) {
        value = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low + 1)));
        if (round == 1) value = range.low;
        if (round == 2) value = range.high;
      }
      inputs.push_back(std::move(tensor));
    }
    meanings.push_back(meaning_of(graph, std::move(inputs)));
  }
  expect_every_way(graph, meanings);
}

}  // namespace nibble::tests
