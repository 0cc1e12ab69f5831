#include "graph/text.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>

#include "base/error.hpp"
#include "base/json.hpp"
#include "graph/infer/infer.hpp"
#include "graph/scanner.hpp"
#include "graph/verify.hpp"

/// One line a thing:
///     graph <name> <stage>
///     meta <key> <text>
///     value|constant <name> <type> [extents] {axis zero_point low high [scales]} <low:high ...> = elements
///     node <name> <Op> (inputs) -> (outputs) field=value ...
///     inputs <names>
///     outputs <names>
/// Grid and bounds only where there are some; `-` is an absent input; names that are not plain words are JSON strings.
namespace nibble::graph {
namespace {

// ---- writing --------------------------------------------------------------------------------------------------------

bool is_plain(std::string_view name) {
  if (name.empty() || name == "-") return false;
  for (char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::strchr("_./:-", c) == nullptr) return false;
  return true;
}

std::string word(std::string_view name) {
  return is_plain(name) ? std::string(name) : json_string(name);
}

std::string text_of(double x) {
  return fmt::format("{}", x);
}
std::string text_of(int64_t x) {
  return std::to_string(x);
}
std::string text_of(bool x) {
  return x ? "1" : "0";
}
std::string text_of(Rounding x) {
  return std::string(to_string(x));
}
template <class Enum>
requires std::is_enum_v<Enum> std::string text_of(Enum x) {
  return std::to_string(static_cast<int>(x));
}
template <class T>
std::string text_of(const std::vector<T>& list) {
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i) text.append(i ? " " : "").append(text_of(list[i]));
  return text + "]";
}
std::string text_of(const Grid& grid) {
  return fmt::format("{{{} {} {} {} {}}}", grid.axis, grid.zero_point, grid.low, grid.high, text_of(grid.scale));
}

std::string elements(const Tensor& tensor, Constants constants) {
  const bool whole = constants == Constants::Whole || tensor.size() <= 8;
  if (!whole) return fmt::format("... {} elements", tensor.size());
  std::string text;
  with_element_type(tensor.type(), [&](auto kind) {
    using T = decltype(kind);
    for (T element : tensor.as<T>()) {
      if (!text.empty()) text += ' ';
      // The shortest decimal that reads back to the same number, float32 as float32.
      if constexpr (std::is_floating_point_v<T>)
        text += fmt::format("{}", element);
      else
        text += std::to_string(element);
    }
  });
  return text;
}

std::string value_line(const Value& value, Constants constants) {
  std::string line = fmt::format("{} {} {} {}", value.constant ? "constant" : "value", word(value.name),
                                 to_string(value.type), text_of(value.shape));
  if (value.grid) line += " " + text_of(*value.grid);
  if (!value.bounds.empty()) {
    line += " <";
    for (size_t i = 0; i < value.bounds.size(); ++i)
      line += fmt::format("{}{}:{}", i ? " " : "", value.bounds[i].low, value.bounds[i].high);
    line += ">";
  }
  if (value.constant) line += " = " + elements(*value.constant, constants);
  return line + "\n";
}

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (ValueId id : ids) text.append(text.empty() ? "" : " ").append(id == absent ? "-" : word(graph[id].name));
  return text;
}

// Functors and not lambdas, here and below: one instance a type of field, not one a field and op.
struct FieldWriter {
  std::string& line;
  void operator()(std::string_view key, const auto& field) const {
    line.append(" ").append(key).append("=").append(text_of(field));
  }
};

std::string node_line(const Graph& graph, const Node& node) {
  std::string line = fmt::format("node {} {} ({}) -> ({})", word(node.name), name_of(node.op),
                                 names(graph, node.inputs), names(graph, node.outputs));
  const FieldWriter write{line};
  visit([&]<class T>(const T& op) { T::fields(write, op); }, node.op);
  return line + "\n";
}

// ---- reading --------------------------------------------------------------------------------------------------------

void read(Scanner& scan, int64_t& x) {
  x = scan.integer();
}
void read(Scanner& scan, int& x) {
  x = static_cast<int>(scan.integer(INT32_MIN, INT32_MAX));
}
void read(Scanner& scan, double& x) {
  x = scan.real();
}
void read(Scanner& scan, bool& x) {
  x = scan.integer(0, 1) != 0;
}
void read(Scanner& scan, Rounding& x) {
  x = scan.named(rounding_named);
}
// How many names each enumeration of ops.hpp has; a new one does not compile without a line here.
int64_t enumerators(PadMode) {
  return int64_t{1} + static_cast<int64_t>(PadMode::Edge);
}
int64_t enumerators(ResizeMode) {
  return int64_t{1} + static_cast<int64_t>(ResizeMode::Linear);
}
int64_t enumerators(ResizeCoordinates) {
  return int64_t{1} + static_cast<int64_t>(ResizeCoordinates::Asymmetric);
}
int64_t enumerators(ResizeNearest) {
  return int64_t{1} + static_cast<int64_t>(ResizeNearest::Ceil);
}
template <class Enum>
requires std::is_enum_v<Enum>
void read(Scanner& scan, Enum& x) {
  x = static_cast<Enum>(scan.integer(0, enumerators(Enum{}) - 1));
}
template <class T>
void read(Scanner& scan, std::vector<T>& list) {
  list.clear();
  scan.expect('[');
  while (!scan.take(']')) read(scan, list.emplace_back());
}
void read(Scanner& scan, Grid& grid) {
  scan.expect('{');
  read(scan, grid.axis);
  read(scan, grid.zero_point);
  read(scan, grid.low);
  read(scan, grid.high);
  read(scan, grid.scale);
  scan.expect('}');
}

struct FieldReader {
  Scanner& scan;
  void operator()(std::string_view key, auto& field) const {
    const std::string found = scan.key();
    if (found != key) scan.complain("field '" + found + "'", "'" + std::string(key) + "'");
    read(scan, field);
  }
};

Op new_op(std::string_view name, Scanner& scan) {
  const Op* op = op_named(name);
  if (!op) scan.complain("no op '" + std::string(name) + "'", "an op of graph/ops.hpp");
  return *op;
}

class Reader {
 public:
  Graph read_all(std::string_view text) {
    int number = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      Scanner scan(text.substr(0, end), ++number);
      if (!scan.at_end()) read_line(scan);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    verify(graph_);
    return std::move(graph_);
  }

 private:
  void read_line(Scanner& scan) {
    const std::string kind = scan.word();
    if (kind == "graph") {
      graph_.name = scan.word();
      graph_.stage = scan.named(stage_named);
    } else if (kind == "meta") {
      const std::string key = scan.word();
      graph_.metadata[key] = scan.word();
    } else if (kind == "value" || kind == "constant") {
      read_value(scan, kind == "constant");
    } else if (kind == "node") {
      read_node(scan);
    } else if (kind == "inputs" || kind == "outputs") {
      auto& ids = kind == "inputs" ? graph_.inputs : graph_.outputs;
      while (!scan.at_end()) ids.push_back(value_named(scan));
    } else {
      scan.complain("'" + kind + "'", "graph, meta, value, constant, node, inputs or outputs");
    }
    if (!scan.at_end()) scan.complain("more text", "the end of the line");
  }

  ValueId value_named(Scanner& scan) {
    const std::string name = scan.word();
    if (name == "-") return absent;
    const auto found = ids_.find(name);
    if (found == ids_.end()) scan.complain("no value '" + name + "'", "one that an earlier line declares");
    return found->second;
  }

  void read_value(Scanner& scan, bool constant) {
    Value value;
    value.name = scan.word();
    value.type = scan.named([](std::string_view type) { return element_type(type); });
    read(scan, value.shape);
    if (scan.peek('{')) read(scan, value.grid.emplace());
    if (scan.take('<'))
      while (!scan.take('>')) {
        Interval& bound = value.bounds.emplace_back();
        bound.low = scan.integer();
        scan.expect(':');
        bound.high = scan.integer();
      }
    if (constant) {
      scan.expect('=');
      value.constant = read_elements(scan, value);
    }
    if (!ids_.emplace(value.name, static_cast<ValueId>(graph_.values.size())).second)
      scan.complain("a second value '" + value.name + "'", "unique names");
    graph_.values.push_back(std::move(value));
  }

  static Tensor read_elements(Scanner& scan, const Value& value) {
    if (!is_static(value.shape)) scan.complain("a constant of " + to_string(value.shape), "fixed extents");
    check_extents(value);
    // An element is a digit and a space at least: a line that lies about its length allocates nothing.
    const auto count = static_cast<size_t>(element_count(value.shape));
    if (count > scan.left()) scan.complain("too few elements", std::to_string(count));
    Tensor tensor(value.type, value.shape);
    with_element_type(value.type, [&](auto kind) {
      using T = decltype(kind);
      for (T& element : tensor.as<T>()) {
        if constexpr (std::is_same_v<T, float>)
          element = scan.single();
        else if constexpr (std::is_same_v<T, double>)
          element = scan.real();
        else
          element = static_cast<T>(scan.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      }
    });
    return tensor;
  }

  std::vector<ValueId> read_list(Scanner& scan) {
    std::vector<ValueId> ids;
    scan.expect('(');
    while (!scan.take(')')) ids.push_back(value_named(scan));
    return ids;
  }

  void read_node(Scanner& scan) {
    Node node;
    node.name = scan.word();
    node.op = new_op(scan.word(), scan);
    node.inputs = read_list(scan);
    scan.expect('-');
    scan.expect('>');
    node.outputs = read_list(scan);
    const FieldReader fields{scan};
    visit([&]<class T>(T& op) { T::fields(fields, op); }, node.op);
    graph_.nodes.push_back(std::move(node));
  }

  Graph graph_;
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

std::string to_text(const Graph& graph, Constants constants) {
  std::string text = fmt::format("graph {} {}\n", word(graph.name), to_string(graph.stage));
  for (const auto& [key, value] : graph.metadata) text += fmt::format("meta {} {}\n", word(key), json_string(value));
  for (const Value& value : graph.values) text += value_line(value, constants);
  for (const Node& node : graph.nodes) text += node_line(graph, node);
  text += "inputs " + names(graph, graph.inputs) + "\n";
  return text + "outputs " + names(graph, graph.outputs) + "\n";
}

Graph from_text(std::string_view text) {
  return Reader().read_all(text);
}

}  // namespace nibble::graph
