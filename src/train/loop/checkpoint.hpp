#pragma once
#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/json.hpp"

namespace nibble::train {

/// Everything that a run needs to go on as if it had not stopped. Random streams follow from (seed, epoch, step), so
/// their state is in `progress`.
struct Checkpoint {
  Json description;  ///< what was asked for: another one cannot go on from here
  Json progress;     ///< epoch, step, sums, earlier epochs' reports
  std::map<std::string, at::Tensor> tensors;
};

/// Written beside, flushed and renamed. Throws UserError where the disk refuses.
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);
/// Nothing where the file is not there. Throws UserError where it is no checkpoint.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& file);

/// Throws UserError naming the first thing in which the checkpoint's description differs from what is asked for.
void check_description(const Json& checkpoint, const Json& asked, const std::filesystem::path& file);

}  // namespace nibble::train
