#include "verbs/goldens/golden_folder.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "data/npz.hpp"
#include "data/text_golden.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

/// What stands in a folder, in order of name.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error) fail("verbs", folder.string(), error.message(), "a folder that can be read");
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// The number in "<stem><i>.txt".
std::optional<int64_t> number_in(const std::string& file, const std::string& stem) {
  const std::string_view end = ".txt";
  if (!file.starts_with(stem) || !file.ends_with(end) || file.size() <= stem.size() + end.size()) return {};
  int64_t number = 0;
  const char* last = file.data() + file.size() - end.size();
  const auto [at, error] = std::from_chars(file.data() + stem.size(), last, number);
  if (error != std::errc() || at != last || number < 0) return {};
  return number;
}

bool is_golden_file(const fs::path& file) {
  const std::string name = file.filename().string();
  for (const char* known : {"inputs.npz", "outputs.npz", "activations.npz", "input.txt", "output.txt"})
    if (name == known) return true;
  return file.extension() == ".onnx" || number_in(name, "out_layer").has_value();
}

void find_below(const fs::path& folder, std::vector<fs::path>& found) {
  const std::vector<fs::path> entries = entries_of(folder);
  if (std::any_of(entries.begin(), entries.end(), is_golden_file)) {
    found.push_back(folder);
    return;
  }
  for (const fs::path& entry : entries)
    if (fs::is_directory(entry) && !fs::is_symlink(entry)) find_below(entry, found);
}

fs::path network_in(const fs::path& folder) {
  std::vector<fs::path> networks;
  for (const fs::path& entry : entries_of(folder)) {
    if (entry.filename() == "network.onnx") return entry;
    if (entry.extension() == ".onnx") networks.push_back(entry);
  }
  if (networks.empty()) fail("verbs", folder.string(), "no network", "network.onnx, or one *.onnx");
  if (networks.size() > 1)
    fail("verbs", folder.string(),
         std::to_string(networks.size()) + " networks, " + networks[0].filename().string() + " and " +
             networks[1].filename().string(),
         "network.onnx, or one *.onnx");
  return networks.front();
}

std::vector<Recorded> arrays_of(const fs::path& file) {
  std::vector<Recorded> recorded;
  for (auto& [name, tensor] : data::read_npz(file))
    recorded.push_back({file.filename().string(), name, false, std::move(tensor)});
  return recorded;
}

Recorded text_of(const fs::path& file) {
  data::TextGolden golden = data::read_text_golden(file);
  const std::string name = golden.name.empty() ? file.stem().string() : golden.name;
  return {file.filename().string(), name, true, std::move(golden.integers)};
}

/// "<stem><first>.txt", "<stem><first + 1>.txt", ..., by number, without a gap.
std::vector<Recorded> numbered(const fs::path& folder, const std::string& stem) {
  std::map<int64_t, fs::path> files;
  for (const fs::path& entry : entries_of(folder))
    if (const auto number = number_in(entry.filename().string(), stem)) files.emplace(*number, entry);
  std::vector<Recorded> recorded;
  int64_t next = files.empty() || files.begin()->first > 1 ? 0 : files.begin()->first;
  for (const auto& [number, file] : files) {
    if (number != next)
      fail("verbs", folder.string(), "no " + stem + std::to_string(next) + ".txt before " + file.filename().string(),
           "numbers without a gap");
    recorded.push_back(text_of(file));
    ++next;
  }
  return recorded;
}

/// "<stem>.txt", or the numbered files "<stem>_<i>.txt".
std::vector<Recorded> texts_of(const fs::path& folder, const std::string& stem) {
  if (fs::exists(folder / (stem + ".txt"))) return {text_of(folder / (stem + ".txt"))};
  return numbered(folder, stem + "_");
}

void append(std::vector<Recorded>& to, std::vector<Recorded> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

}  // namespace

std::vector<fs::path> golden_folders(const fs::path& folder) {
  if (!fs::exists(folder)) fail("verbs", folder.string(), "no such folder", "a golden folder");
  if (!fs::is_directory(folder)) fail("verbs", folder.string(), "a file", "a golden folder");
  std::vector<fs::path> found;
  find_below(folder, found);
  if (found.empty())
    fail("verbs", folder.string(), "no network and no golden files, here or below", "network.onnx, inputs.npz, ...");
  return found;
}

GoldenFolder read_golden_folder(const fs::path& folder) {
  GoldenFolder golden;
  golden.network = network_in(folder);
  const bool npz = fs::exists(folder / "inputs.npz");
  golden.inputs = texts_of(folder, "input");
  if (npz && !golden.inputs.empty())
    fail("verbs", folder.string(), "both inputs.npz and " + golden.inputs.front().file, "one of them");
  if (npz) golden.inputs = arrays_of(folder / "inputs.npz");
  if (golden.inputs.empty() && !npz) fail("verbs", folder.string(), "no inputs", "inputs.npz or input.txt");
  golden.activations = numbered(folder, "out_layer");
  if (fs::exists(folder / "activations.npz")) append(golden.activations, arrays_of(folder / "activations.npz"));
  golden.outputs = texts_of(folder, "output");
  if (npz || fs::exists(folder / "outputs.npz")) append(golden.outputs, arrays_of(folder / "outputs.npz"));
  if (golden.activations.empty() && golden.outputs.empty())
    fail("verbs", folder.string(), "nothing to compare with",
         "outputs.npz, activations.npz, out_layer0.txt, output.txt");
  return golden;
}

}  // namespace nibble::verbs
