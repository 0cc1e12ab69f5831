#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/file.hpp"
#include "codegen/boards.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

/// A word of the shell's.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

struct Ended {
  int status = 0;
  std::string output;
};

Ended shell(const std::string& command) {
  Ended ended;
  FILE* pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) fail("verbs", "the shell", "no process", "one that runs " + command);
  char buffer[4096];
  for (size_t count = 0; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;) ended.output.append(buffer, count);
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ended;
}

void require_tool(std::string_view command) {
  const std::string tool(command.substr(0, command.find(' ')));
  if (!tool.empty() && shell("command -v " + quoted(tool)).status != 0)
    fail("verbs", tool, "not installed", "the packages of scripts/packages-embedded.txt");
}

/// The C files of a folder that `generate` wrote, as its Makefile lists them.
std::string sources_of(const fs::path& folder) {
  if (!fs::exists(folder / "Makefile") || !fs::exists(folder / "test" / "main.c"))
    fail("verbs", folder.string(), "no Makefile and test/main.c in it", "a folder that 'nibble generate' wrote");
  const std::string makefile = read_file(folder / "Makefile", "verbs"), key = "\nSOURCES = ";
  const size_t at = makefile.find(key);
  if (at == std::string::npos)
    fail("verbs", (folder / "Makefile").string(), "no SOURCES", "a Makefile that 'nibble generate' wrote");
  std::string list = makefile.substr(at + key.size()), result;
  list = list.substr(0, list.find('\n')) + " test/main.c ";
  for (size_t begin = 0, end = 0; (end = list.find(' ', begin)) != std::string::npos; begin = end + 1)
    if (end > begin) result += " " + quoted((folder / list.substr(begin, end - begin)).string());
  return result;
}

/// A folder that goes with its scope.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "nibble-validate-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail("verbs", name, "cannot be made", "room for a temporary folder");
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

Result validate(const Call& call) {
  const fs::path folder = call.path("DIR");
  const codegen::Board& board = codegen::board_named(call.text("on", "host"));
  const std::string optimise = "-O" + call.text("optimise", "2");
  require_tool(board.compiler);
  require_tool(board.run);
  const std::string sources = sources_of(folder);
  const Scratch scratch;
  const fs::path program = scratch.path() / "goldens";
  std::string link(board.link);
  if (!board.ram.empty()) {
    write_file(scratch.path() / "start.c", codegen::start_up(), "verbs");
    write_file(scratch.path() / "board.ld", codegen::linker_script(board), "verbs");
    link = quoted((scratch.path() / "start.c").string()) + " -T " + quoted((scratch.path() / "board.ld").string()) +
           " " + link;
  }
  const Ended built = shell(
      fmt::format("{} {} -std=c99 -Wall -Wextra -ffunction-sections -fdata-sections -ffp-contract=off -I{} {} {} -o {}",
                  board.compiler, optimise, quoted(folder.string()), sources, link, quoted(program.string())));
  if (built.status != 0)
    fail("verbs", folder.string(), "the compiler says: " + built.output.substr(0, 2000), "code that builds");
  const Ended ran = shell(fmt::format("timeout 600 {}{}", board.run, quoted(program.string())));
  std::string said = ran.output;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (ran.status != 0)
    fail("verbs", folder.string(), said.empty() ? fmt::format("status {}", ran.status) : said,
         "every golden equal on " + std::string(board.name));
  Result result;
  result.json = {{"folder", folder.string()}, {"on", board.name}, {"result", said}};
  result.text = fmt::format("{}: {}\n", board.name, said);
  return result;
}

}  // namespace nibble::verbs
