#include "train/checkpoint.hpp"

#include <torch/csrc/jit/serialization/pickle.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::train {
namespace {

constexpr const char* mark = "nibble checkpoint 1";

[[noreturn]] void refuse(const std::filesystem::path& file) {
  fail("train", file.string(), "not a checkpoint that can be read", "one that nibble wrote; or start without --resume");
}

/// Every key of `asked`, and of objects inside it.
void compare(const Json& before, const Json& asked, const std::string& key, const std::filesystem::path& file) {
  if (asked.is_object() && before.is_object()) {
    for (const auto& [name, value] : asked.items())
      compare(before.value(name, Json()), value, key.empty() ? name : key + "." + name, file);
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
  const c10::IValue whole = c10::ivalue::Tuple::create(
      {std::string(mark), checkpoint.description.dump(), checkpoint.progress.dump(), tensors});
  const std::vector<char> bytes = torch::jit::pickle_save(whole);
  write_file(file, {bytes.data(), bytes.size()}, "train");
}

std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const std::string bytes = read_file(file, "train");
  try {
    const c10::IValue whole = torch::jit::pickle_load(std::vector<char>(bytes.begin(), bytes.end()));
    const auto& parts = whole.toTupleRef().elements();
    if (parts.size() != 4 || parts[0].toStringRef() != mark) refuse(file);
    Checkpoint checkpoint{Json::parse(parts[1].toStringRef()), Json::parse(parts[2].toStringRef()), {}};
    for (const auto& entry : parts[3].toGenericDict())
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
