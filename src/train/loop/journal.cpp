#include "train/loop/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/file.hpp"
#include "graph/op_traits.hpp"

namespace nibble::train {
namespace {

constexpr std::string_view header = "epoch,quantiser,on,scale_min,scale_max,low,high,below,above\n";

/// A quantiser after an epoch, over all of its channels.
struct Row {
  double scale_min = std::numeric_limits<double>::infinity(), scale_max = 0;
  double low = 0, high = 0;     ///< its range
  double below = 0, above = 0;  ///< shares of what it reads
};

Row row_of(const Quantiser& quantiser, const at::Tensor& x) {
  const Grid grid = quantiser.op().grid;
  Row row;
  std::vector<double> lows, highs;
  for (double scale : grid.scale) {
    row.scale_min = std::min(row.scale_min, scale), row.scale_max = std::max(row.scale_max, scale);
    lows.push_back(scale * static_cast<double>(grid.low - grid.zero_point));
    highs.push_back(scale * static_cast<double>(grid.high - grid.zero_point));
  }
  row.low = *std::min_element(lows.begin(), lows.end()), row.high = *std::max_element(highs.begin(), highs.end());
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  if (lows.size() > 1) shape[static_cast<size_t>(grid.axis)] = -1;
  const auto bounds = [&](const std::vector<double>& values) {
    return at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::kFloat).reshape(shape);
  };
  if (x.numel() > 0) {
    row.below = x.lt(bounds(lows)).to(at::kDouble).mean().item<double>();
    row.above = x.gt(bounds(highs)).to(at::kDouble).mean().item<double>();
  }
  return row;
}

/// As RFC 4180 has it.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

void add_metrics(Summary& summary, const EpochReport& report) {
  summary.scalar("loss/train", report.train_loss);
  summary.scalar("loss/test", report.test_loss);
  summary.scalar("accuracy/train", report.train_accuracy);
  summary.scalar("accuracy/test", report.test_accuracy);
  summary.scalar("learning_rate", report.learning_rate);
  summary.scalar("quantisers_on", static_cast<double>(report.quantisers));
}

void add_quantiser(Summary& summary, const std::string& name, const Row& row) {
  summary.scalar("scale_min/" + name, row.scale_min);
  summary.scalar("scale_max/" + name, row.scale_max);
  summary.scalar("range_low/" + name, row.low);
  summary.scalar("range_high/" + name, row.high);
  summary.scalar("clipped/" + name, row.below + row.above);
}

/// The values of which a network's histograms are taken: weights, what linear ops give, and quantised activations.
std::map<graph::ValueId, std::string> histogram_tags(const Network& network) {
  std::map<graph::ValueId, std::string> tags;
  const graph::Graph& graph = network.graph();
  for (const Learned& one : network.learned())
    if (one.id != graph::absent && one.decays) tags[one.id] = "weights/" + one.name;
  for (const graph::Node& node : graph.nodes)
    if (is_linear(node.op)) tags[node.outputs[0]] = "activations/" + node.name;
  for (const PlacedQuantiser& at : network.placed_quantisers())
    if (!at.weights.defined()) tags[at.output] = "activations/" + at.quantiser->name();
  return tags;
}

/// Whether a line of quantisers.csv belongs to one of the first `epochs`.
bool within(std::string_view line, int64_t epochs) {
  int64_t epoch = 0;
  for (char c : line.substr(0, line.find(','))) {
    if (c < '0' || c > '9' || epoch > epochs) return false;
    epoch = 10 * epoch + (c - '0');
  }
  return epoch > 0 && epoch <= epochs;
}

}  // namespace

Journal::Journal(const Network& network, std::filesystem::path folder, bool histograms)
    : network_(network), folder_(std::move(folder)), histograms_(histograms), events_(folder_ / "tensorboard") {}

void Journal::go_on_after(int64_t epochs) {
  forget_events_after(folder_ / "tensorboard", epochs);
  lines_ = header;
  if (!std::filesystem::exists(csv())) return;
  const std::string before = read_file(csv(), "train");
  for (size_t at = 0, end = 0; (end = before.find('\n', at)) != std::string::npos; at = end + 1)
    if (const std::string_view line(before.data() + at, end + 1 - at); within(line, epochs)) lines_ += line;
  if (lines_ == header)
    std::filesystem::remove(csv());
  else
    write_file(csv(), lines_, "train");
}

void Journal::write(const EpochReport& report, const at::Tensor& x) {
  const std::vector<PlacedQuantiser> placed = network_.placed_quantisers();
  const std::map<graph::ValueId, std::string> tags =
      histograms_ ? histogram_tags(network_) : std::map<graph::ValueId, std::string>();
  Summary summary;
  std::vector<Row> rows(placed.size());
  std::set<graph::ValueId> seen;
  add_metrics(summary, report);
  network_.run(x, {}, false, [&](graph::ValueId id, const at::Tensor& value) {
    // A constant that several nodes read comes several times.
    if (!seen.insert(id).second) return;
    for (size_t i = 0; i < placed.size(); ++i)
      if (placed[i].input == id) rows[i] = row_of(*placed[i].quantiser, value);
    const auto tag = tags.find(id);
    if (tag == tags.end()) return;
    const at::Tensor dense = value.detach().contiguous();
    summary.histogram(tag->second, {dense.data_ptr<float>(), static_cast<size_t>(dense.numel())});
  });
  for (size_t i = 0; i < placed.size(); ++i) {
    const Quantiser& quantiser = *placed[i].quantiser;
    const Row& row = rows[i];
    add_quantiser(summary, quantiser.name(), row);
    lines_ += fmt::format("{},{},{:d},{},{},{},{},{},{}\n", report.epoch, field(quantiser.name()), quantiser.on(),
                          row.scale_min, row.scale_max, row.low, row.high, row.below, row.above);
  }
  events_.append(report.epoch, summary);
  if (!placed.empty()) write_file(csv(), lines_, "train");
}

}  // namespace nibble::train
