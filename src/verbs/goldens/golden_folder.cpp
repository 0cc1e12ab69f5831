#include "verbs/goldens/golden_folder.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "data/formats/text_golden.hpp"
#include "data/npz.hpp"

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
    recorded.push_back({file.filename().string(), name, false, std::move(tensor), 0});
  return recorded;
}

Recorded text_of(const fs::path& file) {
  data::TextGolden golden = data::read_text_golden(file);
  const std::string name = golden.name.empty() ? file.stem().string() : golden.name;
  return {file.filename().string(), name, true, std::move(golden.integers), 0};
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

/// "out_<i>_layer": of inference i.
std::string layers_of(int64_t inference) {
  return "out_" + std::to_string(inference) + "_layer";
}

/// n_inputs of the config that quantlab writes beside a network: inferences, one after the other. 1 without one.
int64_t inferences_in(const fs::path& folder) {
  for (const fs::path& entry : entries_of(folder)) {
    const std::string name = entry.filename().string();
    if (!name.starts_with("config") || entry.extension() != ".json") continue;
    const Json json = read_json(entry, "verbs");
    if (!json.is_object() || !json.contains("n_inputs")) continue;
    const Json& count = json["n_inputs"];
    constexpr int64_t most = 1 << 20;
    if (!count.is_number_integer() || count < 1 || count > most)
      fail("verbs", entry.string(), "n_inputs " + count.dump(), "1 to " + std::to_string(most));
    return count.get<int64_t>();
  }
  return 1;
}

/// One tensor an inference: numbered files, else equal parts of the one file that holds them in turn.
std::vector<Recorded> in_turn(const fs::path& folder, const std::string& stem, int64_t count) {
  std::vector<Recorded> each = numbered(folder, stem + "_");
  if (each.empty() && fs::exists(folder / (stem + ".txt"))) {
    const Recorded all = text_of(folder / (stem + ".txt"));
    const std::vector<int64_t> integers = all.tensor.to_integers();
    const auto size = static_cast<int64_t>(integers.size());
    if (size % count != 0)
      fail("verbs", (folder / all.file).string(), std::to_string(size) + " integers",
           std::to_string(count) + " inferences of as many each");
    for (auto at = integers.begin(); at != integers.end(); at += size / count)
      each.push_back(
          {all.file, all.name, true, Tensor({size / count}, std::vector<int64_t>(at, at + size / count)), 0});
  }
  if (!each.empty() && static_cast<int64_t>(each.size()) != count)
    fail("verbs", folder.string(), std::to_string(each.size()) + " files " + stem + "_<i>.txt",
         std::to_string(count) + ", one an inference");
  for (size_t i = 0; i < each.size(); ++i) each[i].inference = static_cast<int64_t>(i);
  return each;
}

void append(std::vector<Recorded>& to, std::vector<Recorded> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

void ensure_recorded(const fs::path& folder, const GoldenFolder& golden) {
  if (golden.activations.empty() && golden.outputs.empty())
    fail("verbs", folder.string(), "nothing to compare with",
         "outputs.npz, activations.npz, out_layer0.txt, output.txt");
}

void read_inferences(const fs::path& folder, GoldenFolder& golden) {
  golden.inputs = in_turn(folder, "input", golden.inferences);
  if (golden.inputs.empty()) fail("verbs", folder.string(), "no inputs", "input_0.txt ..., or input.txt");
  golden.outputs = in_turn(folder, "output", golden.inferences);
  for (int64_t i = 0; i < golden.inferences; ++i) {
    std::vector<Recorded> layers = numbered(folder, layers_of(i));
    for (Recorded& layer : layers) layer.inference = i;
    append(golden.activations, std::move(layers));
  }
  ensure_recorded(folder, golden);
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
  golden.inferences = npz ? 1 : inferences_in(folder);
  if (golden.inferences > 1) {
    read_inferences(folder, golden);
    return golden;
  }
  golden.inputs = texts_of(folder, "input");
  if (npz && !golden.inputs.empty())
    fail("verbs", folder.string(), "both inputs.npz and " + golden.inputs.front().file, "one of them");
  if (npz) golden.inputs = arrays_of(folder / "inputs.npz");
  if (golden.inputs.empty() && !npz) fail("verbs", folder.string(), "no inputs", "inputs.npz or input.txt");
  golden.activations = numbered(folder, "out_layer");
  if (fs::exists(folder / "activations.npz")) append(golden.activations, arrays_of(folder / "activations.npz"));
  golden.outputs = texts_of(folder, "output");
  if (npz || fs::exists(folder / "outputs.npz")) append(golden.outputs, arrays_of(folder / "outputs.npz"));
  ensure_recorded(folder, golden);
  return golden;
}

}  // namespace nibble::verbs
