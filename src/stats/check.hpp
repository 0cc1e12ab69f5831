#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace nibble::stats {

/// The refusals of this room: each throws UserError "stats: <what>: <found> (expected <what>)".

/// At least `least` values, none of them NaN or infinite.
void check_values(std::string_view what, std::span<const double> values, size_t least);
/// Two of them, one value a pair.
void check_pairs(std::string_view what, std::span<const double> first, std::span<const double> second, size_t least);
/// name in (low, high): both ends are left out.
void check_between(std::string_view what, std::string_view name, double value, double low, double high);
/// name in [low, high].
void check_within(std::string_view what, std::string_view name, double value, double low, double high);
/// 0 <= successes <= count and count >= 1.
void check_share(std::string_view what, int64_t successes, int64_t count);

}  // namespace nibble::stats
