#include <fmt/format.h>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "processing/classify.h"

namespace nibble::app {
namespace {

class Classification : public Task {
 public:
  Classification(const Description& app, const Ports& outputs, const std::string& place) : classes_(app.classes) {
    const Section section(app.output, "app", place + ": output", {"output", "top", "scores"});
    output_ = output_named(outputs, app.output.value("output", Json()), place + ": output");
    int64_t count = 1;
    for (const int64_t extent : outputs[output_].value.extents) count *= extent;
    check_classes(app, count, place);
    section.whole("top", top_, 1, 1000);
    std::string scores = "logits";
    section.name("scores", scores, {"logits", "probabilities"});
    logits_ = scores == "logits";
  }

  Json answer(const std::vector<Seen>& windows) const override {
    const Seen& seen = windows.front();
    const std::vector<float>& reals = seen.outputs[output_].reals;
    const auto count = static_cast<int64_t>(reals.size());
    std::vector<double> share(reals.begin(), reals.end());
    if (logits_) nibble_softmax(reals.data(), count, 1, share.data());
    std::vector<int32_t> best(static_cast<size_t>(std::min(top_, count)));
    best.resize(static_cast<size_t>(nibble_largest(share.data(), count, top_, best.data())));
    Json classes = Json::array();
    for (const int32_t index : best)
      classes.push_back({{"index", index},
                         {"name", class_name(classes_, index)},
                         {"probability", share[static_cast<size_t>(index)]}});
    return {{"classes", std::move(classes)}};
  }

  void draw(Canvas& canvas, const Seen&, const Json& answer) const override {
    double y = 0;
    for (const Json& line : answer["classes"]) {
      canvas.label(0, y, label_of(line["name"], line["probability"]), {20, 20, 20});
      y += canvas.line_height();
    }
  }

  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/classify.h\"\n";
    code.declaration = R"(struct Class {
  int32_t index;
  std::string name;
  double probability;
};
/// The likeliest first.
struct Answer {
  std::vector<Class> classes;
};
)";
    code.constants = names_of(classes_);
    code.body =
        fmt::format(R"(  const std::vector<float>& scores = reals[{}];
  const auto count = static_cast<int64_t>(scores.size());
  std::vector<double> share(scores.begin(), scores.end());
{}  std::vector<int32_t> best({});
  best.resize(static_cast<size_t>(nibble_largest(share.data(), count, {}, best.data())));
  for (const int32_t index : best)
    answer.classes.push_back({{index, class_name(index), share[static_cast<size_t>(index)]}});
)",
                    output_, logits_ ? "  nibble_softmax(scores.data(), count, 1, share.data());\n" : "", top_, top_);
    code.json = R"(  text += "{\"classes\": [";
  for (const Class& c : answer.classes) {
    text += text.back() == '[' ? "" : ", ";
    text += "{\"index\": " + std::to_string(c.index) + ", \"name\": " + quoted(c.name) +
            ", \"probability\": " + number(c.probability) + "}";
  }
  text += "]}";
)";
    return code;
  }

 private:
  std::vector<std::string> classes_;
  size_t output_ = 0;
  int64_t top_ = 5;
  bool logits_ = true;
};

}  // namespace

std::unique_ptr<Task> open_classification(const Description& app, const Parts&, const Ports& outputs,
                                          const std::string& place) {
  return std::make_unique<Classification>(app, outputs, place);
}

}  // namespace nibble::app
