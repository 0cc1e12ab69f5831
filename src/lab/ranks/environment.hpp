#pragma once
#include <functional>
#include <optional>

#include "train/api.hpp"

namespace nibble::lab {

/// An environment variable's text, null where it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Where this process stands among `ranks`, as who started it says: by RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or
/// in a step of Slurm of several tasks by SLURM_PROCID, SLURM_NTASKS, SLURM_NODELIST and SLURM_JOB_ID (of which the port
/// is made, unless MASTER_PORT says it). Nothing where it was started alone. Throws UserError where some of these are
/// missing, are no such numbers, or are of another number of ranks.
std::optional<train::RankPlace> place_in_environment(int ranks, const Environment& environment);

}  // namespace nibble::lab
