#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

/// Parts of Vega-Lite specifications (vega.github.io/vega-lite/docs). What all charts of a page share (fonts, colours,
/// width) is the page's.
namespace nibble::report {

/// A number of a chart's data, to five digits; null where it is not finite.
Json rounded(double value);

/// An encoding's channel of numbers, not from zero on, and one of names in the data's order.
Json quantity(std::string_view field, std::string_view title);
Json name(std::string_view field, std::string_view title);
/// Combinations' names along y, a line a factor.
Json combination_axis(std::string_view field);
/// palette()'s colours of names, in their order, without a legend: a chart has one for all its panels.
Json colour(std::string_view field, const std::vector<std::string>& names);

Json mark(std::string_view type, Json properties = Json::object());
Json layer(Json mark, Json encoding);
/// A specification of layers over one table.
Json layered(Json values, Json layers, int height);

}  // namespace nibble::report
