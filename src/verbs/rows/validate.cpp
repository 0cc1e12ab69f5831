#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "lab/runtime_engine.hpp"
#include "verbs/arrays.hpp"
#include "verbs/generated_code.hpp"
#include "verbs/layout.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"
#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

/// What test/main.c said of one golden.
struct Run {
  uint64_t total = 0;                           ///< ticks of a whole inference
  std::map<size_t, uint64_t> ticks;             ///< by step
  std::map<size_t, std::vector<uint8_t>> kept;  ///< bytes by the number of the value
};

struct Said {
  std::vector<Run> runs;
  std::string last;  ///< its last line
};

std::optional<uint64_t> number_in(std::string_view word) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return {};
  return number;
}

std::vector<uint8_t> bytes_in(std::string_view digits) {
  std::vector<uint8_t> bytes(digits.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i)
    std::from_chars(digits.data() + 2 * i, digits.data() + 2 * i + 2, bytes[i], 16);
  return bytes;
}

/// A line "word number rest"; false where it is none of the protocol's.
bool take(std::string_view line, Said& said) {
  const size_t first = line.find(' ');
  if (first == line.npos) return false;
  const size_t second = std::min(line.find(' ', first + 1), line.size());
  const std::string_view word = line.substr(0, first), rest = line.substr(std::min(second + 1, line.size()));
  const auto number = number_in(line.substr(first + 1, second - first - 1));
  if (!number) return false;
  if (word == "run") {
    said.runs.emplace_back().total = *number;
    return true;
  }
  if (said.runs.empty() || (word != "layer" && word != "value")) return false;
  if (word == "layer") said.runs.back().ticks[*number] = number_in(rest).value_or(0);
  if (word == "value") said.runs.back().kept[*number] = bytes_in(rest);
  return true;
}

Said said_by(const std::string& output) {
  Said said;
  for (size_t begin = 0; begin < output.size();) {
    const size_t end = std::min(output.find('\n', begin), output.size());
    const std::string_view line(output.data() + begin, end - begin);
    if (!take(line, said) && !line.empty()) said.last = line;
    begin = end + 1;
  }
  return said;
}

/// A step: what it kept against the evaluator, over all goldens.
struct Row {
  int64_t elements = 0, differing = 0;
  uint64_t ticks = std::numeric_limits<uint64_t>::max();  ///< the least of the goldens
};

struct Comparison {
  std::vector<Row> rows;
  std::optional<Difference> first;
  size_t first_step = 0;
  uint64_t total = std::numeric_limits<uint64_t>::max();
};

void compare_kept(const GeneratedCode& code, const Run& run, const std::map<std::string, Tensor>& meant,
                  Comparison& result) {
  for (size_t i = 0; i < code.kept().size(); ++i) {
    const GeneratedCode::Kept& kept = code.kept()[i];
    const auto expected = meant.find(kept.value.name);
    const auto bytes = run.kept.find(i);
    if (expected == meant.end()) continue;  // a name that only the program has
    const Tensor found = tensor_of(bytes == run.kept.end() ? std::vector<uint8_t>{} : bytes->second, kept.value,
                                   code.folder().string(), kept.first);
    Row& row = result.rows[kept.step];
    row.elements += static_cast<int64_t>(found.size());
    const auto difference = first_difference(kept.value.name, found, expected->second);
    if (!difference) continue;
    row.differing += difference->count;
    if (!result.first || kept.step < result.first_step) {
      result.first = difference;
      result.first_step = kept.step;
    }
  }
}

Comparison compare(const GeneratedCode& code, const graph::Graph& network, const Said& said) {
  Comparison result;
  result.rows.resize(code.steps().size());
  const auto goldens = code.goldens(network);
  if (said.runs.size() != goldens.size())
    fail("verbs", code.folder().string(), said.last.empty() ? "nothing was said" : said.last,
         fmt::format("{} goldens that run", goldens.size()));
  for (size_t g = 0; g < goldens.size(); ++g) {
    std::map<std::string, Tensor> meant;
    graph::evaluate(network, goldens[g],
                    [&](graph::ValueId id, const Tensor& tensor) { meant.insert_or_assign(network[id].name, tensor); });
    compare_kept(code, said.runs[g], meant, result);
    result.total = std::min(result.total, said.runs[g].total);
    for (const auto& [step, ticks] : said.runs[g].ticks)
      if (step < result.rows.size()) result.rows[step].ticks = std::min(result.rows[step].ticks, ticks);
  }
  return result;
}

std::string table_of(const GeneratedCode& code, const Comparison& found, std::string_view counts) {
  Columns columns({{"step", Side::Right},
                   {"name"},
                   {"op"},
                   {"kernel"},
                   {"integers", Side::Right},
                   {"differing", Side::Right},
                   {std::string(counts), Side::Right}});
  for (size_t i = 0; i < found.rows.size(); ++i) {
    const Row& row = found.rows[i];
    const GeneratedCode::Step& step = code.steps()[i];
    columns.add({std::to_string(i), step.name, step.op, step.kernel, std::to_string(row.elements),
                 std::to_string(row.differing), std::to_string(row.ticks)});
  }
  return columns.text();
}

std::string described(const GeneratedCode& code, const Comparison& found) {
  if (!found.first) return "";
  const Difference& first = *found.first;
  return fmt::format("first in step {} '{}': {}{} is {} (expected {}); {} of its integers differ\n", found.first_step,
                     code.steps()[found.first_step].name, first.tensor,
                     first.index.empty() ? "" : to_string(first.index), first.found, first.expected, first.count);
}

Json json_of(const GeneratedCode& code, const Comparison& found, std::string_view counts) {
  Json layers = Json::array();
  for (size_t i = 0; i < found.rows.size(); ++i) {
    const Row& row = found.rows[i];
    const GeneratedCode::Step& step = code.steps()[i];
    layers.push_back({{"name", step.name},
                      {"op", step.op},
                      {"kernel", step.kernel},
                      {"macs", step.operations},
                      {"elements", row.elements},
                      {"differing", row.differing},
                      {counts == "instructions" ? "instructions" : "ticks", row.ticks}});
  }
  return layers;
}

/// `--data`: the code, compiled for this machine, on a data set.
Result evaluated(const Call& call, const GeneratedCode& code, const std::string& flags) {
  if (call.text("on", "host") != "host")
    fail("verbs", call.place("data"), "on " + call.text("on"), "host, which runs a whole set");
  const graph::Graph network = code.network();
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, network, progress, "validating");
  feed.limit = call.integer("limit", -1, 1, std::numeric_limits<int64_t>::max());
  const auto generated = generated_engine(code, network, flags);
  const lab::Evaluation found = lab::evaluate(network, *generated, feed);
  const lab::Evaluation meant = lab::evaluate(network, *lab::runtime_engine(network), feed);
  const int64_t flips = lab::flips(found, meant);
  Result result;
  result.json = lab::to_json(found);
  result.json["folder"] = code.folder().string();
  result.json["flips"] = flips;
  result.json["equal"] = flips == 0 && found.value == meant.value && found.errors == meant.errors;
  const auto said = [&](double value) {
    return found.metric == "top1" ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.6g}", value);
  };
  result.text =
      fmt::format("{}: {} {} of {} examples by the code, {} by the network; {} decisions differ\n",
                  code.folder().string(), found.metric, said(found.value), found.count, said(meant.value), flips);
  result.exit_code = result.json["equal"] ? 0 : 1;
  return result;
}

}  // namespace

Result validate(const Call& call) {
  const GeneratedCode code(call.path("DIR"));
  std::string flags = "-O" + call.text("optimise", "2");
  if (call.has("sanitize")) {
    if (call.text("on", "host") != "host")
      fail("verbs", call.place("sanitize"), "on " + call.text("on"), "host, whose libraries have the checks");
    flags += " -g -fsanitize=address,undefined -fno-sanitize-recover=all";
  }
  if (call.has("data")) return evaluated(call, code, flags);
  const codegen::Board& board = codegen::board_named(call.text("on", "host"));
  const TemporaryFolder scratch;
  code.build(board, "-DNIBBLE_LAYERS " + flags, scratch.path() / "layers");
  const auto ran = code.run(board, scratch.path() / "layers");
  const Said said = said_by(ran.output);
  const Comparison found = compare(code, code.network(), said);
  int64_t integers = 0, differing = 0;
  for (const Row& row : found.rows) {
    integers += row.elements;
    differing += row.differing;
  }
  const bool equal = differing == 0 && ran.status == 0;
  Result result;
  result.exit_code = equal ? 0 : 1;
  result.json = {{"folder", code.folder().string()},
                 {"on", board.name},
                 {"counts", board.counts},
                 {"result", said.last},
                 {"equal", equal},
                 {"integers", integers},
                 {"differing", differing},
                 {"layers", json_of(code, found, board.counts)}};
  if (!said.runs.empty()) result.json["total"] = found.total;
  if (found.first)
    result.json["first"] = {{"step", found.first_step},
                            {"name", code.steps()[found.first_step].name},
                            {"tensor", found.first->tensor},
                            {"index", found.first->index},
                            {"differing", found.first->count}};
  if (!said.runs.empty())
    result.text =
        table_of(code, found, board.counts) + fmt::format("\n{} {} an inference; {} of {} integers of layers differ\n",
                                                          found.total, board.counts, differing, integers);
  result.text += described(code, found) + fmt::format("{}: {}\n", board.name, said.last);
  return result;
}

}  // namespace nibble::verbs
