#include "codegen/specialise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>

#include "base/embedded.hpp"
#include "base/error.hpp"

/// src/kernels/**
const std::vector<nibble::Embedded>& nibble_kernel_sources();

namespace nibble::codegen {
namespace {

/// The functions with names that the linker sees.
std::set<std::string> functions_of(const std::map<std::string, std::string>& files) {
  std::set<std::string> names;
  const std::regex definition("^(?:int|int64_t|uint64_t|void|nibble_wide|const [a-z_]+\\*) (nibble_[a-z0-9_]+)\\(",
                              std::regex::multiline);
  for (const auto& [name, text] : files)
    if (name.starts_with("kernels/") && name.ends_with(".c"))
      for (std::sregex_iterator it(text.begin(), text.end(), definition), end; it != end; ++it) names.insert((*it)[1]);
  return names;
}

std::string renamed(const std::string& header, const std::set<std::string>& functions, const std::string& prefix,
                    const std::string& before) {
  std::string defines = before;
  for (const std::string& function : functions) defines += fmt::format("#define {0} {1}_{0}\n", function, prefix);
  const size_t at = header.find("#include <stdint.h>\n");
  ensure(at != std::string::npos, "the kernels' header includes stdint.h");
  return header.substr(0, at) + defines + header.substr(at);
}

}  // namespace

std::vector<std::string> kernel_sources(const Code& code) {
  std::set<std::string> needed;
  for (const Kernel* kernel : code.kernels)
    for (std::string_view file : kernel->files) needed.emplace(file);
  for (const program::Step& step : code.program.steps)
    if (step.rows > 0) {
      needed.emplace("kernels/packed/packed.c");
      needed.emplace(step.kind == NIBBLE_KIND_CONV ? "kernels/packed/packed_conv.c" : "kernels/packed/packed_pool.c");
    }
  return {needed.begin(), needed.end()};
}

KernelFiles kernel_files(const Code& code) {
  KernelFiles result;
  std::map<std::string, std::string>& files = result.files;
  std::vector<std::string> waiting = kernel_sources(code);
  waiting.emplace_back("kernels/kernels.h");
  const std::regex include("#include \"(kernels/[^\"]+)\"");
  while (!waiting.empty()) {
    const std::string name = waiting.back();
    waiting.pop_back();
    if (files.contains(name)) continue;
    const auto& all = ::nibble_kernel_sources();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Embedded& file) { return file.name == name; });
    ensure(found != all.end(), "the kernels' sources travel with the generator: " + name);
    std::string text(found->text);
    for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it) waiting.push_back((*it)[1]);
    files[name] = std::move(text);
  }
  result.left_out = specialise(same_in_convolutions(code), files);
  // Two networks in one firmware: every function of the kernels gets the prefix.
  std::string& header = files.at("kernels/kernels.h");
  header = renamed(header, functions_of(files), code.prefix,
                   "/* What every convolution of this network has in common stands in the kernels themselves. */\n"
                   "#define NIBBLE_SAME(owner, field, value) ((void)(owner), (value))\n" +
                       forms_left_out(code));
  return result;
}

}  // namespace nibble::codegen
