#include <algorithm>

#include "passes/quantise/passes.hpp"

namespace nibble::passes {
namespace {

void keep_off_zero(Grid& grid, const std::string& place) {
  if (grid.low >= grid.zero_point)
    grid.low = std::max(grid.low, grid.zero_point + 1);
  else if (grid.high <= grid.zero_point)
    grid.high = grid.zero_point - 1;
  else
    fail("passes", place, "divides, and is 0 within its range",
         "a divisor of one sign, or {\"enabled\": false} for the layer that divides");
}

}  // namespace

void keep_domains(const graph::Graph& graph, const QuantiserPlan& plan, std::vector<Grid>& grids) {
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    if (point.divides) keep_off_zero(grids[p], "value '" + graph[point.source].name + "'");
    if (point.rooted && grids[p].high > grids[p].zero_point) grids[p].low = std::max(grids[p].low, grids[p].zero_point);
  }
}

}  // namespace nibble::passes
