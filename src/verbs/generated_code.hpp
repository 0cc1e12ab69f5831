#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "codegen/boards.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "program/program.hpp"

/// A folder that `generate` wrote: what it computes, and programs built of it.
namespace nibble::verbs {

/// A folder that goes with its scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class GeneratedCode {
 public:
  struct Step {
    std::string name, op, kernel;
    int64_t operations = 0;
  };
  /// What a step leaves in the arena.
  struct Kept {
    size_t step = 0;
    program::Value value;
    int64_t first = 0;  ///< elements before its first one
  };

  /// Throws UserError where the folder is not of that kind.
  explicit GeneratedCode(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Kept>& kept() const { return kept_; }
  const std::vector<program::Value>& inputs() const { return inputs_; }
  const std::vector<program::Value>& outputs() const { return outputs_; }
  /// The network that it was generated from, whose evaluation is its meaning.
  graph::Graph network() const;
  /// Inputs of each golden, as the network has them.
  std::vector<std::vector<Tensor>> goldens(const graph::Graph& network) const;

  struct Ended {
    int status = 0;
    std::string output;  ///< of both streams
  };
  /// Builds test/main.c with the code, `flags` given to the compiler too. Throws UserError where a tool is missing or the
  /// compiler refuses.
  void build(const codegen::Board& board, const std::string& flags, const std::filesystem::path& program) const;
  Ended run(const codegen::Board& board, const std::filesystem::path& program,
            const std::string& redirected = "") const;

 private:
  std::filesystem::path folder_;
  std::string sources_;
  std::vector<Step> steps_;
  std::vector<Kept> kept_;
  std::vector<program::Value> inputs_, outputs_;
};

/// The code, compiled for this machine, as an engine for its network. Observers are told of nothing.
std::unique_ptr<graph::Engine> generated_engine(const GeneratedCode& code, const graph::Graph& network,
                                                const std::string& flags);

}  // namespace nibble::verbs
