#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

struct Point {
  std::string name;
  double cost, value;
  bool on_front = false;
};

/// A combination is on the front where no other costs no more and is no worse, and is better in one of them.
void find_front(std::vector<Point>& points, bool more_is_better) {
  const auto no_worse = [&](double a, double b) { return more_is_better ? a >= b : a <= b; };
  for (Point& one : points)
    one.on_front = std::none_of(points.begin(), points.end(), [&](const Point& other) {
      const bool covers = other.cost <= one.cost && no_worse(other.value, one.value);
      return covers && (other.cost < one.cost || !no_worse(one.value, other.value));
    });
}

/// The data's rows. A point's label names all that stand in its place; it goes where there is room.
Json values_of(const std::vector<Point>& points, const Metric& metric) {
  Json values = Json::array();
  const double middle = (points.front().cost + points.back().cost) / 2;
  std::map<std::pair<double, double>, size_t> places;
  for (const Point& point : points) {
    const auto [found, is_new] = places.emplace(std::pair(point.cost, point.value), values.size());
    if (!is_new) values[found->second]["label"].get_ref<std::string&>() += "; " + point.name;
    values.push_back({{"combination", point.name},
                      {"cost", rounded(point.cost)},
                      {"value", rounded(metric.number(point.value))},
                      {"place", point.on_front ? "on the front" : "behind it"},
                      {"label", is_new ? point.name : ""},
                      {"side", point.cost <= middle ? "right" : "left"}});
  }
  return values;
}

Json labels_on(const char* side, const Json& x, const Json& y) {
  const bool right = std::string_view(side) == "right";
  Json labels = layer(
      mark("text",
           {{"align", right ? "left" : "right"}, {"dx", right ? 8 : -8}, {"dy", -8}, {"fontSize", 11}, {"limit", 320}}),
      {{"x", x}, {"y", y}, {"text", {{"field", "label"}}}});
  labels["transform"] = {{{"filter", std::string("datum.place == 'on the front' && datum.side == '") + side + "'"}}};
  return labels;
}

Chart front_chart(std::string title, const std::string& axis, std::vector<Point> points, const Metric& metric) {
  find_front(points, metric.more_is_better);
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.cost < b.cost; });
  std::string text = "On the front, where less cost would cost accuracy: ";
  const char* comma = "";
  for (const Point& point : points) {
    if (!point.on_front) continue;
    text += fmt::format("{}{} ({:.5g}, {})", comma, point.name, point.cost, metric.described(point.value));
    comma = "; ";
  }
  const Json x = quantity("cost", axis);
  Json y = quantity("value", metric.name);
  const auto [least, most] = std::minmax_element(points.begin(), points.end(),
                                                 [](const Point& a, const Point& b) { return a.value < b.value; });
  // The worst of errors would hide how the good ones differ.
  if (!metric.more_is_better && least->value > 0 && most->value > 4 * least->value)
    y["scale"] = {{"type", "log"}, {"nice", false}};
  Json place = name("place", "");
  place["title"] = nullptr;
  place["legend"] = {{"orient", "bottom"}};
  Json shape = place;
  place["scale"] = {{"domain", {"on the front", "behind it"}}, {"range", {"#1f5fa8", "#999999"}}};
  shape["scale"] = {{"domain", {"on the front", "behind it"}}, {"range", {"circle", "diamond"}}};
  Json front = layer(mark("line", {{"interpolate", "step-after"}, {"color", "#1f5fa8"}}), {{"x", x}, {"y", y}});
  front["transform"] = {{{"filter", "datum.place == 'on the front'"}}};
  const Json shown =
      layer(mark("point", {{"filled", true}, {"size", 80}, {"opacity", 1}, {"tooltip", {{"content", "data"}}}}),
            {{"x", x}, {"y", y}, {"color", place}, {"shape", shape}});
  return {std::move(title),
          text + ".",
          {{"", layered(values_of(points, metric), {front, shown, labels_on("right", x, y), labels_on("left", x, y)},
                        300)}}};
}

}  // namespace

Section costs_section(const Findings& findings) {
  Section section{"What it costs", {}};
  if (findings.combinations.size() < 2) return section;
  std::vector<Point> bytes, latencies;
  for (const Combination& one : findings.combinations) {
    bytes.push_back({one.name, one.mean("weight_bytes"), one.mean("value")});
    if (const double seconds = one.mean("latency"); std::isfinite(seconds))
      latencies.push_back({one.name, 1e3 * seconds, one.mean("value")});
  }
  section.blocks.emplace_back(
      front_chart(findings.metric.name + ", against bytes of weights", "weights, bytes", bytes, findings.metric));
  if (latencies.size() < 2) return section;
  section.blocks.emplace_back(
      front_chart(findings.metric.name + ", against latency", "latency, ms", latencies, findings.metric));
  section.blocks.emplace_back(
      "Latency: the median of one inference of the integer network by one thread, measured at the end of each run on "
      "the "
      "machine that took it, while other runs may have shared it; means over runs. 'nibble bench' measures with care.");
  return section;
}

}  // namespace nibble::report
