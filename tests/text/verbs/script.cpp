#include "text/verbs/script.hpp"

#include <sys/wait.h>

#include <cstdlib>
#include <sstream>

#include "base/file.hpp"

namespace nibble::tests {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool starts(const std::string& line, const std::string& with) {
  return line.rfind(with, 0) == 0;
}

/// Blank lines and remarks at the end of what a command says belong to the prose behind it.
std::vector<std::string> split_prose(std::vector<std::string>& lines) {
  size_t keep = lines.size();
  while (keep > 0 && (lines[keep - 1].empty() || starts(lines[keep - 1], "# "))) --keep;
  std::vector<std::string> prose(lines.begin() + static_cast<std::ptrdiff_t>(keep), lines.end());
  lines.resize(keep);
  return prose;
}

int usual_exit(const Step& step) {
  return step.errors.empty() ? 0 : 2;
}

void take(Step& step, const std::vector<std::string>& lines) {
  int exit_code = -1;
  for (const std::string& line : lines)
    if (starts(line, "! "))
      step.errors.push_back(line.substr(2));
    else if (starts(line, "= "))
      exit_code = std::stoi(line.substr(2));
    else
      step.output.push_back(line);
  step.exit_code = exit_code < 0 ? usual_exit(step) : exit_code;
}

}  // namespace

Script read_script(const std::filesystem::path& file) {
  Script script;
  const bool page = file.extension() == ".md";
  script.prompt = page ? "$ " : "> ";
  std::vector<std::string> prose, said;
  bool inside = !page, open = false;
  const auto close = [&] {
    if (!open) return;
    prose = page ? std::vector<std::string>() : split_prose(said);
    take(script.pieces.back().step, said);
    said.clear();
    open = false;
  };
  for (const std::string& line : lines_of(read_file(file, "tests"))) {
    if (page && starts(line, "```")) {
      close();
      inside = !inside && line == "```console";
    } else if (inside && starts(line, script.prompt)) {
      close();
      script.pieces.push_back({std::move(prose), {line.substr(2), {}, {}, 0}});
      prose.clear();
      open = true;
      continue;
    }
    (open ? said : prose).push_back(line);
  }
  close();
  script.end = prose;
  return script;
}

std::string text_of(const Script& script) {
  std::string text;
  const auto add = [&](const std::string& line) { text += line + "\n"; };
  for (const Script::Piece& piece : script.pieces) {
    for (const std::string& line : piece.prose) add(line);
    add(script.prompt + piece.step.command);
    for (const std::string& line : piece.step.output) add(line);
    for (const std::string& line : piece.step.errors) add("! " + line);
    if (piece.step.exit_code != usual_exit(piece.step)) add("= " + std::to_string(piece.step.exit_code));
  }
  for (const std::string& line : script.end) add(line);
  return text;
}

bool matches(const std::string& pattern, const std::string& line) {
  const size_t star = pattern.find("<*>");
  if (star == std::string::npos) return pattern == line;
  if (!starts(line, pattern.substr(0, star))) return false;
  const std::string rest = pattern.substr(star + 3);
  for (size_t at = star; at <= line.size(); ++at)
    if (matches(rest, line.substr(at))) return true;
  return false;
}

Step run(const std::string& command, const std::filesystem::path& folder) {
  const auto out = folder / ".stdout", err = folder / ".stderr", script = folder / ".command";
  write_file(script, command + "\n", "tests");
  const std::string shell = "cd '" + folder.string() + "' && sh .command >.stdout 2>.stderr </dev/null";
  const int status = std::system(shell.c_str());
  Step step{command, lines_of(read_file(out, "tests")), lines_of(read_file(err, "tests")), 0};
  step.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return step;
}

}  // namespace nibble::tests
