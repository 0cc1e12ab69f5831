#include "verbs/generated_code.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "base/file.hpp"
#include "data/npz.hpp"
#include "lab/loaded_program.hpp"
#include "onnx/onnx.hpp"
#include "verbs/layout.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;
constexpr const char* expected_folder = "a folder that this 'nibble generate' wrote";

/// A word of the shell's.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

GeneratedCode::Ended shell(const std::string& command) {
  GeneratedCode::Ended ended;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) fail("verbs", "the shell", "no process", "one that runs " + command);
  char buffer[4096];
  for (size_t count = 0; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;) ended.output.append(buffer, count);
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ended;
}

void require_tool(std::string_view command) {
  const std::string tool(command.substr(0, command.find(' ')));
  if (!tool.empty() && shell("command -v " + quoted(tool) + " >/dev/null 2>&1").status != 0)
    fail("verbs", tool, "not installed", "the packages of scripts/packages-embedded.txt");
}

/// The C files of the folder, as its Makefile lists them.
std::string sources_of(const fs::path& folder) {
  for (const char* file : {"Makefile", "test/main.c", "test/layers.json", "test/network.onnx", "test/goldens.npz"})
    if (!fs::exists(folder / file)) fail("verbs", folder.string(), fmt::format("no {} in it", file), expected_folder);
  const std::string makefile = read_file(folder / "Makefile", "verbs"), key = "\nSOURCES = ";
  const size_t at = makefile.find(key);
  if (at == std::string::npos) fail("verbs", (folder / "Makefile").string(), "no SOURCES", expected_folder);
  std::string list = makefile.substr(at + key.size()), result;
  list = list.substr(0, list.find('\n')) + " test/main.c ";
  for (size_t begin = 0, end = 0; (end = list.find(' ', begin)) != std::string::npos; begin = end + 1)
    if (end > begin) result += " " + quoted((folder / list.substr(begin, end - begin)).string());
  return result;
}

const Json& list_of(const Section& section, const char* key) {
  const Json& list = section.part(key);
  if (!list.is_array()) section.refuse(key, "a list");
  return list;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "nibble-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) fail("verbs", name, "cannot be made", "room for a temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

GeneratedCode::GeneratedCode(fs::path folder) : folder_(std::move(folder)), sources_(sources_of(folder_)) {
  const fs::path file = folder_ / "test" / "layers.json";
  const Json json = read_json(file, "verbs");
  const Section section(json, "verbs", file.string());
  for (const Json& each : list_of(section, "steps")) {
    const Section step(each, "verbs", file.string() + ": steps");
    Step read{step.text("name"), step.text("op"), step.text("kernel")};
    step.whole("macs", read.operations, 0);
    steps_.push_back(std::move(read));
  }
  for (const Json& each : list_of(section, "values")) {
    const Section value(each, "verbs", file.string() + ": values");
    int64_t step = 0;
    value.whole("step", step, 0, static_cast<int64_t>(steps_.size()) - 1);
    Kept kept{static_cast<size_t>(step), value_from_json(each, file.string() + ": values")};
    value.whole("first", kept.first, 0, INT32_MAX);
    kept_.push_back(std::move(kept));
  }
  for (const Json& each : list_of(section, "inputs"))
    inputs_.push_back(value_from_json(each, file.string() + ": inputs"));
  for (const Json& each : list_of(section, "outputs"))
    outputs_.push_back(value_from_json(each, file.string() + ": outputs"));
}

graph::Graph GeneratedCode::network() const {
  graph::Graph graph = onnx::read(folder_ / "test" / "network.onnx");
  if (graph.inputs.size() != inputs_.size() || graph.outputs.size() != outputs_.size())
    fail("verbs", folder_.string(), "test/network.onnx is of another network", expected_folder);
  return graph;
}

std::vector<std::vector<Tensor>> GeneratedCode::goldens(const graph::Graph& network) const {
  const fs::path file = folder_ / "test" / "goldens.npz";
  std::vector<std::string> names;
  for (graph::ValueId id : network.inputs) names.push_back(network[id].name);
  const data::Arrays arrays = data::read_npz(file);
  std::vector<std::vector<Tensor>> goldens;
  for (size_t array : data::arrays_of_inputs(arrays, names, "verbs", file.string())) {
    const Tensor& all = arrays[array].second;
    const Shape shape(all.shape().empty() ? all.shape().end() : all.shape().begin() + 1, all.shape().end());
    goldens.resize(all.shape().empty() ? 0 : static_cast<size_t>(all.shape().front()));
    for (size_t i = 0; i < goldens.size(); ++i) {
      Tensor one(all.type(), shape);
      std::memcpy(one.bytes().data(), all.bytes().data() + i * one.bytes().size(), one.bytes().size());
      goldens[i].push_back(std::move(one));
    }
  }
  return goldens;
}

void GeneratedCode::build(const codegen::Board& board, const std::string& flags, const fs::path& program) const {
  require_tool(board.compiler);
  const fs::path beside = program.parent_path();
  write_file(beside / "ticks.c", codegen::ticks_of(board), "verbs");
  std::string link = quoted((beside / "ticks.c").string());
  if (!board.ram.empty()) {
    write_file(beside / "start.c", codegen::start_up(), "verbs");
    write_file(beside / "board.ld", codegen::linker_script(board), "verbs");
    link += " " + quoted((beside / "start.c").string()) + " -T " + quoted((beside / "board.ld").string());
  }
  const Ended built = shell(fmt::format(
      "{} {} -std=c99 -Wall -Wextra -ffunction-sections -fdata-sections -ffp-contract=off -I{} {} {} {} -o {} 2>&1",
      board.compiler, flags, quoted(folder_.string()), sources_, link, board.link, quoted(program.string())));
  if (built.status != 0)
    fail("verbs", folder_.string(), "the compiler says: " + built.output.substr(0, 2000), "code that builds");
}

GeneratedCode::Ended GeneratedCode::run(const codegen::Board& board, const fs::path& program,
                                        const std::string& redirected) const {
  require_tool(board.run);
  return shell(fmt::format("timeout 600 {}{} {}", board.run, quoted(program.string()),
                           redirected.empty() ? "</dev/null 2>&1" : redirected));
}

namespace {

class Generated : public graph::Engine {
 public:
  Generated(const GeneratedCode& code, const graph::Graph& network, const std::string& flags)
      : code_(code), network_(network), board_(codegen::board_named("host")) {
    for (const std::vector<graph::ValueId>* ports : {&network.inputs, &network.outputs})
      for (graph::ValueId id : *ports) {
        const Shape& shape = network[id].shape;
        for (size_t axis = 1; axis < shape.size(); ++axis)
          if (shape[axis] == any)
            fail("verbs", "'" + network[id].name + "'", "examples along axis " + std::to_string(axis),
                 "a network whose first axis is the batch");
      }
    code_.build(board_, "-DNIBBLE_STREAM " + flags, folder_.path() / "stream");
  }

  std::vector<Tensor> run(const std::vector<Tensor>& given, const graph::Observer&) override {
    const std::vector<Tensor> inputs = graph::prepare_inputs(network_, given);
    int64_t batch = 1;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (batched(network_.inputs[i])) batch = inputs[i].shape().front();
    std::string stream;
    for (int64_t example = 0; example < batch; ++example)
      for (size_t i = 0; i < inputs.size(); ++i) {
        const std::vector<uint8_t> bytes =
            bytes_of(part_of(inputs[i], network_.inputs[i], example, batch), dense(code_.inputs()[i]));
        stream.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      }
    write_file(folder_.path() / "in", stream, "verbs");
    const auto word = [&](const char* name) { return quoted((folder_.path() / name).string()); };
    const auto ended = code_.run(board_, folder_.path() / "stream", "<" + word("in") + " >" + word("out"));
    if (ended.status != 0)
      fail("verbs", code_.folder().string(), fmt::format("status {}", ended.status), "code that runs every example");
    return outputs_of(read_file(folder_.path() / "out", "verbs"), batch);
  }

 private:
  bool batched(graph::ValueId id) const { return !network_[id].shape.empty() && network_[id].shape.front() == any; }

  Tensor part_of(const Tensor& whole, graph::ValueId id, int64_t example, int64_t batch) const {
    if (!batched(id)) return whole;
    Shape shape = whole.shape();
    shape.front() = 1;
    Tensor part(whole.type(), shape);
    const size_t size = whole.bytes().size() / static_cast<size_t>(batch);
    std::memcpy(part.bytes().data(), whole.bytes().data() + static_cast<size_t>(example) * size, size);
    return part;
  }

  std::vector<Tensor> outputs_of(const std::string& stream, int64_t batch) const {
    std::vector<Tensor> outputs;
    size_t at = 0;
    for (int64_t example = 0; example < batch; ++example)
      for (size_t i = 0; i < network_.outputs.size(); ++i) {
        const program::Value value = dense(code_.outputs()[i]);
        const size_t size = size_of(lab::element_of(value.type)) * static_cast<size_t>(element_count(value.extents));
        const std::string bytes = stream.substr(std::min(at, stream.size()), size);
        const Tensor one = tensor_of({bytes.begin(), bytes.end()}, value, code_.folder().string());
        at += size;
        if (example == 0) {
          Shape shape = one.shape();
          if (batched(network_.outputs[i])) shape.front() *= batch;
          outputs.emplace_back(one.type(), shape);
        }
        if (example == 0 || batched(network_.outputs[i]))
          std::memcpy(outputs[i].bytes().data() + static_cast<size_t>(example) * one.bytes().size(), one.bytes().data(),
                      one.bytes().size());
      }
    return outputs;
  }

  const GeneratedCode& code_;
  const graph::Graph& network_;
  const codegen::Board& board_;
  TemporaryFolder folder_;
};

}  // namespace

std::unique_ptr<graph::Engine> generated_engine(const GeneratedCode& code, const graph::Graph& network,
                                                const std::string& flags) {
  return std::make_unique<Generated>(code, network, flags);
}

}  // namespace nibble::verbs
