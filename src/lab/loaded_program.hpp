#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "graph/graph.hpp"
#include "program/program.hpp"
#include "runtime/nibble.h"

namespace nibble::lab {

struct RuntimeOptions {
  int threads = 1;      ///< more than the runtime's 64 are 64
  std::string kernels;  ///< a kernel set's name; empty: NIBBLE_KERNELS, else the fastest
  bool fast = true;     ///< packed weights and floats where certified; else every step as the network says it
  bool folded = false;  ///< weights as the portable kernels want them, packed where few levels allow
  bool fuse = true;     ///< several nodes in one step
  std::vector<std::string> backends{};  ///< who may take steps, in this order (runtime/nibble.h, nibble_use_backend)
};

/// Throws UserError where a kernel set is asked for, by the options or NIBBLE_KERNELS, that this CPU does not run.
void require_kernels(const RuntimeOptions& options);

/// A program in the runtime, with a context.
class LoadedProgram {
 public:
  /// Throws UserError on a kernel set that this CPU does not run, or a back end that is not to be had; bytes that are no program are an InternalError.
  LoadedProgram(std::span<const uint8_t> bytes, const RuntimeOptions& options);
  /// Maps the file. Throws UserError naming the file and what is wrong with it.
  LoadedProgram(const std::filesystem::path& file, const RuntimeOptions& options);

  const nibble_program* program() const { return program_.get(); }
  nibble_context* context() const { return context_.get(); }
  int threads() const { return threads_; }
  /// The set that kernels come from, where they have one for a step.
  const std::string& kernels() const { return kernels_; }

 private:
  void take(nibble_program* program, const RuntimeOptions& options);

  struct Release {
    void operator()(nibble_program* program) const { nibble_release(program); }
    void operator()(nibble_context* context) const { nibble_context_release(context); }
  };
  std::unique_ptr<nibble_program, Release> program_;
  std::unique_ptr<nibble_context, Release> context_;
  int threads_ = 1;
  std::string kernels_;
};

/// Bytes of each input, integers drawn from all that it takes; reals from [0, 1).
std::vector<std::vector<std::byte>> drawn_inputs(const LoadedProgram& program, Random& random);
/// For the next run.
void set_inputs(const LoadedProgram& program, const std::vector<std::vector<std::byte>>& inputs);

/// The evaluator's type of a nibble_type.
ElementType element_of(int type);

/// Throws UserError "program: <file>: ..." where it cannot be read or is damaged.
program::Program read_program(const std::filesystem::path& file);

/// A program as verbs and metrics see a network: inputs, outputs and what its steps keep, with their shapes and grids,
/// and no nodes. Of a program that a LoadedProgram took.
graph::Graph network_of(const program::Program& program);

}  // namespace nibble::lab
