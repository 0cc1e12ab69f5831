#include <fmt/format.h>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "processing/classify.h"

namespace nibble::app {
namespace {

class Anomaly : public Task {
 public:
  Anomaly(const Description& app, const Ports& outputs, const std::string& place) {
    const Section section(app.output, "app", place + ": output", {"output", "threshold", "hop"});
    output_ = output_named(outputs, app.output.value("output", Json()), place + ": output");
    section.part("threshold");
    section.real("threshold", threshold_, 0, Section::largest);
  }

  /// The mean over the windows of a sound.
  Json answer(const std::vector<Seen>& windows) const override {
    double sum = 0;
    for (const Seen& seen : windows) sum += error_of(seen);
    const double error = sum / static_cast<double>(windows.size());
    return {{"error", error}, {"threshold", threshold_}, {"anomalous", error > threshold_}};
  }
  void draw(Canvas& canvas, const Seen&, const Json& answer) const override {
    const bool found = answer["anomalous"];
    canvas.label(0, 0, found ? "anomalous" : "as usual", found ? Colour{180, 20, 20} : Colour{20, 120, 20});
  }

  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/classify.h\"\n";
    code.declaration = R"(struct Answer {
  double error; /* mean square of what is not reconstructed */
  double threshold;
  bool anomalous;
};
)";
    code.body = fmt::format(
        R"(  double sum = 0;
  for (const Window& w : windows)
    sum += nibble_mean_square_difference(w.input.data(), w.reals[{}].data(), static_cast<int64_t>(w.input.size()));
  answer.error = sum / static_cast<double>(windows.size());
  answer.threshold = {};
  answer.anomalous = answer.error > answer.threshold;
)",
        output_, literal(threshold_));
    code.json = R"(  text += "{\"error\": " + number(answer.error) + ", \"threshold\": " + number(answer.threshold) +
          ", \"anomalous\": " + (answer.anomalous ? "true" : "false") + "}";
)";
    return code;
  }

 private:
  double error_of(const Seen& seen) const {
    const std::vector<float>& rebuilt = seen.outputs[output_].reals;
    if (rebuilt.size() != seen.input.size())
      fail("app", "output", std::to_string(rebuilt.size()) + " numbers",
           "the input's " + std::to_string(seen.input.size()));
    return nibble_mean_square_difference(seen.input.data(), rebuilt.data(), static_cast<int64_t>(rebuilt.size()));
  }

  size_t output_ = 0;
  double threshold_ = 0;
};

}  // namespace

std::unique_ptr<Task> open_anomaly(const Description& app, const Parts&, const Ports& outputs,
                                   const std::string& place) {
  return std::make_unique<Anomaly>(app, outputs, place);
}

}  // namespace nibble::app
