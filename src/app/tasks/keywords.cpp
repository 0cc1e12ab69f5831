#include <fmt/format.h>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "processing/classify.h"
#include "processing/stream.h"

namespace nibble::app {
namespace {

class Keywords : public Task {
 public:
  Keywords(const Description& app, const Ports& outputs, const std::string& place) : classes_(app.classes) {
    const Section section(app.output, "app", place + ": output",
                          {"output", "hop", "smooth", "threshold", "background", "scores"});
    output_ = output_named(outputs, app.output.value("output", Json()), place + ": output");
    count_ = element_count(outputs[output_].value.extents);
    check_classes(app, count_, place);
    section.whole("smooth", smooth_, 1, 1000);
    section.real("threshold", threshold_, 0, 1);
    std::string scores = "logits";
    section.name("scores", scores, {"logits", "probabilities"});
    logits_ = scores == "logits";
    background_.resize(static_cast<size_t>(count_));
    if (section.has("background"))
      for (const Json& name : section.part("background")) background_[index_of(name, section)] = true;
  }

  Json answer(const std::vector<Seen>& windows) const override {
    const auto count = static_cast<size_t>(count_);
    std::vector<float> kept(static_cast<size_t>(smooth_) * count), mean(count);
    std::vector<double> share(count);
    nibble_smoothing smoothing;
    nibble_smoothing_start(&smoothing, kept.data(), static_cast<int32_t>(smooth_), static_cast<int32_t>(count_));
    Json list = Json::array(), heard = Json::array();
    int32_t last = -1;
    for (const Seen& seen : windows) {
      const std::vector<float>& reals = seen.outputs[output_].reals;
      share.assign(reals.begin(), reals.end());
      if (logits_) nibble_softmax(reals.data(), count_, 1, share.data());
      mean.assign(share.begin(), share.end());
      nibble_smoothing_add(&smoothing, mean.data(), mean.data());
      share.assign(mean.begin(), mean.end());
      int32_t best = 0;
      nibble_largest(share.data(), count_, 1, &best);
      const double probability = share[static_cast<size_t>(best)];
      list.push_back({{"begin", seen.begin},
                      {"end", seen.end},
                      {"index", best},
                      {"name", class_name(classes_, best)},
                      {"probability", probability}});
      const bool word = !background_[static_cast<size_t>(best)] && probability >= threshold_;
      if (!word) {
        last = -1;
      } else if (best != last) {
        heard.push_back({{"index", best},
                         {"name", class_name(classes_, best)},
                         {"begin", seen.begin},
                         {"end", seen.end},
                         {"probability", probability}});
        last = best;
      } else {
        Json& entry = heard.back();
        entry["end"] = seen.end;
        entry["probability"] = std::max(entry["probability"].get<double>(), probability);
      }
    }
    return {{"keywords", std::move(heard)}, {"windows", std::move(list)}};
  }

  void draw(Canvas&, const Seen&, const Json&) const override {}
  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/classify.h\"\n#include \"processing/stream.h\"\n";
    code.declaration = R"(/// What is heard from one second to another.
struct Heard {
  int32_t index;
  std::string name;
  double begin, end;
  double probability;
};
struct Answer {
  std::vector<Heard> keywords, windows;
};
)";
    std::string background;
    for (const bool none : background_)
      background += std::string(background.empty() ? "" : ", ") + (none ? "true" : "false");
    code.constants = names_of(classes_) + "const bool background[] = {" + background + "};\n";
    code.body = fmt::format(R"(  constexpr size_t classes = {0};
  std::vector<float> kept({1} * classes), mean(classes);
  std::vector<double> share(classes);
  nibble_smoothing smoothing;
  nibble_smoothing_start(&smoothing, kept.data(), {1}, classes);
  int32_t last = -1;
  for (const Window& w : windows) {{
    const std::vector<float>& scores = w.reals[{2}];
    share.assign(scores.begin(), scores.end());
{3}    mean.assign(share.begin(), share.end());
    nibble_smoothing_add(&smoothing, mean.data(), mean.data());
    share.assign(mean.begin(), mean.end());
    int32_t best = 0;
    nibble_largest(share.data(), classes, 1, &best);
    const double probability = share[static_cast<size_t>(best)];
    const Heard heard{{best, class_name(best), w.begin, w.end, probability}};
    answer.windows.push_back(heard);
    if (background[best] || !(probability >= {4})) {{
      last = -1;
    }} else if (best != last) {{
      answer.keywords.push_back(heard);
      last = best;
    }} else {{
      answer.keywords.back().end = w.end;
      if (probability > answer.keywords.back().probability) answer.keywords.back().probability = probability;
    }}
  }}
)",
                            count_, smooth_, output_,
                            logits_ ? "    nibble_softmax(scores.data(), classes, 1, share.data());\n" : "",
                            literal(threshold_));
    code.json = R"(  const auto list = [&](const char* name, const std::vector<Heard>& items) {
    text += std::string("\"") + name + "\": [";
    for (const Heard& h : items) {
      text += text.back() == '[' ? "" : ", ";
      text += "{\"index\": " + std::to_string(h.index) + ", \"name\": " + quoted(h.name) + ", \"begin\": " +
              number(h.begin) + ", \"end\": " + number(h.end) + ", \"probability\": " + number(h.probability) + "}";
    }
    text += "]";
  };
  text += "{";
  list("keywords", answer.keywords);
  text += ", ";
  list("windows", answer.windows);
  text += "}";
)";
    return code;
  }

 private:
  size_t index_of(const Json& name, const Section& section) const {
    for (size_t i = 0; i < classes_.size(); ++i)
      if (name == Json(classes_[i])) return i;
    section.refuse("background", "names of classes");
  }

  std::vector<std::string> classes_;
  std::vector<bool> background_;
  size_t output_ = 0;
  int64_t count_ = 0, smooth_ = 1;
  double threshold_ = 0.5;
  bool logits_ = true;
};

}  // namespace

std::unique_ptr<Task> open_keywords(const Description& app, const Parts&, const Ports& outputs,
                                    const std::string& place) {
  return std::make_unique<Keywords>(app, outputs, place);
}

}  // namespace nibble::app
