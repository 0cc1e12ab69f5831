#pragma once
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "lab/loaded_program.hpp"
#include "lower/lower.hpp"
#include "verbs/sources.hpp"

/// Programs (.nib) where a verb takes a network.
namespace nibble::verbs {

/// Whether a file is a program: by its first bytes, or by its name where they say nothing.
bool is_program(const std::filesystem::path& file);

/// Throws UserError where an option that shapes a network was given for a program, whose shapes are fixed.
void refuse_shaping(const Call& call);

/// What `run`, `evaluate` and `compare` execute.
struct Runnable {
  graph::Graph graph;                          ///< of a program lab::network_of
  std::set<std::string, std::less<>> reals{};  ///< onnx::Header
  std::optional<std::filesystem::path> program{};
};

/// The network or program that an argument names.
Runnable runnable_of(const Call& call, std::string_view argument);

/// As for its graph (sources.hpp); of a program the runtime, which may be asked for by name. Outlived by the runnable.
NamedEngine engine_of(const Call& call, const Runnable& runnable);
NamedEngine engine_or_reference(const Call& call, const Runnable& runnable);

/// How a program for that machine is laid out: as the CPU that lowers wants it, or as Arm's does. Throws UserError on
/// one where the runtime does not run.
lower::Options layout_for(const std::string& machine);

/// `--kernels` and `--threads`.
lab::RuntimeOptions runtime_options(const Call& call);

}  // namespace nibble::verbs
