#include "base/error.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace nibble {

void fail(std::string_view room, std::string_view place, std::string_view found, std::string_view expected) {
  std::string message(room);
  message.append(": ").append(place).append(": ").append(found);
  if (!expected.empty()) message.append(" (expected ").append(expected).append(")");
  throw UserError(message);
}

void ensure(bool holds, std::string_view claim) {
  if (!holds) throw InternalError(std::string(claim));
}

int edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::vector<int>> cost(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace nibble
