#include "train/loop/checkpoint.hpp"

#include <torch/csrc/jit/serialization/pickle.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"

namespace nibble::train {
namespace {

constexpr std::string_view mark = "nibble checkpoint 2\n";

/// With a checksum of the bytes behind it: libtorch's reader takes a file without its last byte for whole.
std::string header(std::string_view bytes) {
  return std::string(mark) + std::to_string(fnv1a(bytes)) + "\n";
}

[[noreturn]] void refuse(const std::filesystem::path& file) {
  fail("train", file.string(), "not a checkpoint that can be read", "one that nibble wrote; or start without --resume");
}

/// Every key of either, and of objects inside them.
void compare(const Json& before, const Json& asked, const std::string& key, const std::filesystem::path& file) {
  if (asked.is_object() && before.is_object()) {
    Json all = before;
    all.update(asked);
    for (const auto& [name, value] : all.items())
      compare(before.value(name, Json()), asked.value(name, Json()), key.empty() ? name : key + "." + name, file);
    return;
  }
  if (before == asked) return;
  fail("train", file.string(), "the run that it belongs to has " + key + " = " + before.dump(),
       key + " = " + asked.dump() + ", as this run; or start without --resume");
}

}  // namespace

void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint) {
  c10::Dict<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) tensors.insert(name, tensor.detach());
  const c10::IValue whole =
      c10::ivalue::Tuple::create({checkpoint.description.dump(), checkpoint.progress.dump(), tensors});
  const std::vector<char> bytes = torch::jit::pickle_save(whole);
  std::string whole_file = header({bytes.data(), bytes.size()});
  whole_file.append(bytes.data(), bytes.size());
  write_file(file, whole_file, "train");
}

std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::string bytes = read_file(file, "train");
  const size_t end = bytes.rfind(mark, 0) == 0 ? bytes.find('\n', mark.size()) : std::string::npos;
  if (end == std::string::npos) refuse(file);
  const std::string written = bytes.substr(0, end + 1);
  bytes.erase(0, end + 1);
  if (header(bytes) != written) refuse(file);
  try {
    const c10::IValue whole = torch::jit::pickle_load(std::vector<char>(bytes.begin(), bytes.end()));
    const auto& parts = whole.toTupleRef().elements();
    if (parts.size() != 3) refuse(file);
    Checkpoint checkpoint{Json::parse(parts[0].toStringRef()), Json::parse(parts[1].toStringRef()), {}};
    for (const auto& entry : parts[2].toGenericDict())
      checkpoint.tensors[entry.key().toStringRef()] = entry.value().toTensor();
    return checkpoint;
  } catch (const c10::Error&) {
    refuse(file);
  } catch (const Json::exception&) {
    refuse(file);
  }
}

void check_description(const Json& checkpoint, const Json& asked, const std::filesystem::path& file) {
  compare(checkpoint, asked, "", file);
}

}  // namespace nibble::train
