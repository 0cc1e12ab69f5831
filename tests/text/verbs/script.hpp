#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace nibble::tests {

/// One command of a text test and what it says.
struct Step {
  std::string command;
  std::vector<std::string> output;  ///< lines of stdout
  std::vector<std::string> errors;  ///< lines of stderr
  int exit_code = 0;
};

/// A text test: prose, and commands with what they say between it.
///
///     > nibble show tiny.onnx          a command of the shell; in a page (.md): "$ ..." inside ```console
///     name  op    input                the lines of its stdout; <*> stands for anything within a line
///     ! verbs: ...                     a line of its stderr
///     = 1                              its exit code, where it is not 0, or 2 behind lines of stderr
///     # ...                            a remark, as are blank lines before the next command
struct Script {
  struct Piece {
    std::vector<std::string> prose;  ///< before the step, word for word
    Step step;
  };
  std::string prompt;
  std::vector<Piece> pieces;
  std::vector<std::string> end;  ///< prose behind the last step
};

Script read_script(const std::filesystem::path& file);
std::string text_of(const Script& script);

/// Whether a line is what the pattern says.
bool matches(const std::string& pattern, const std::string& line);

/// Runs the command with `sh` in the folder, `nibble` being the built one.
Step run(const std::string& command, const std::filesystem::path& folder);

}  // namespace nibble::tests
