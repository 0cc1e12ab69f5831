#include "report/charts.hpp"

#include <fmt/format.h>

#include <cmath>

#include "report/document.hpp"

namespace nibble::report {

Json rounded(double value) {
  if (!std::isfinite(value)) return {};
  return std::stod(fmt::format("{:.5g}", value));
}

Json quantity(std::string_view field, std::string_view title) {
  return {{"field", field}, {"type", "quantitative"}, {"title", title}, {"scale", {{"zero", false}}}};
}

Json name(std::string_view field, std::string_view title) {
  return {{"field", field}, {"type", "nominal"}, {"title", title}, {"sort", nullptr}};
}

Json combination_axis(std::string_view field) {
  Json channel = name(field, "");
  channel["title"] = nullptr;
  channel["axis"] = {{"labelExpr", "split(datum.label, ', ')"}, {"labelLimit", 260}, {"grid", true}, {"ticks", false}};
  return channel;
}

Json colour(std::string_view field, const std::vector<std::string>& names) {
  Json channel = name(field, "");
  std::vector<std::string> colours;
  for (size_t i = 0; i < names.size(); ++i) colours.push_back(palette()[i % palette().size()]);
  channel["scale"] = {{"domain", names}, {"range", colours}};
  channel["legend"] = nullptr;
  return channel;
}

Json mark(std::string_view type, Json properties) {
  Json mark = {{"type", type}};
  mark.update(properties);
  return mark;
}

Json layer(Json mark, Json encoding) {
  return {{"mark", std::move(mark)}, {"encoding", std::move(encoding)}};
}

Json layered(Json values, Json layers, int height) {
  return {{"$schema", "https://vega.github.io/schema/vega-lite/v6.json"},
          {"width", "container"},
          {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
          {"height", height},
          {"data", {{"values", std::move(values)}}},
          {"layer", std::move(layers)}};
}

}  // namespace nibble::report
