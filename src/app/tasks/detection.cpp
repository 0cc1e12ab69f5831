#include <fmt/format.h>

#include <algorithm>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "processing/detect.h"

namespace nibble::app {
namespace {

constexpr int64_t most_objects = 1000;

struct Options {
  nibble_scores scores = NIBBLE_LOGISTIC;
  double threshold = 0.5, overlap = 0.45;
  int64_t most = 100, background = -1, bins = 1;
  bool across = false, y_first = false;
};

Options options_of(const Section& section) {
  Options options;
  std::string scores = "logistic";
  section.name("scores", scores, {"scores", "logistic", "softmax"});
  options.scores = scores == "scores" ? NIBBLE_SCORES : scores == "softmax" ? NIBBLE_NORMALISED : NIBBLE_LOGISTIC;
  section.real("threshold", options.threshold, 0, 1);
  section.real("overlap", options.overlap, 0, 1);
  section.whole("most", options.most, 1, most_objects);
  section.whole("background", options.background, -1, 100000);
  section.whole("bins", options.bins, 1, 64);
  section.flag("across", options.across);
  section.flag("y_first", options.y_first);
  return options;
}

const char* scores_name(nibble_scores scores) {
  return scores == NIBBLE_SCORES     ? "NIBBLE_SCORES"
         : scores == NIBBLE_LOGISTIC ? "NIBBLE_LOGISTIC"
                                     : "NIBBLE_NORMALISED";
}

/// Boxes in the network's input become the answer in the picture.
class Detection : public Task {
 public:
  Detection(const Description& app, const Options& options) : options_(options), classes_(app.classes) {}

  Json answer(const std::vector<Seen>& windows) const override {
    const Seen& seen = windows.front();
    std::vector<nibble_object> room(most_objects);
    nibble_objects objects{room.data(), 0, most_objects};
    decode(seen, objects);
    nibble_suppress(&objects, options_.overlap, options_.across ? 1 : 0, options_.most);
    Json list = Json::array();
    for (int64_t i = 0; i < objects.count; ++i) {
      const nibble_object& object = room[static_cast<size_t>(i)];
      const double left = seen.picture_x(object.left), top = seen.picture_y(object.top);
      const double right = seen.picture_x(object.right), bottom = seen.picture_y(object.bottom);
      list.push_back({{"index", object.class_index},
                      {"name", class_name(classes_, object.class_index)},
                      {"score", object.score},
                      {"box", {left, top, right - left, bottom - top}}});
    }
    return {{"objects", std::move(list)}};
  }

  void draw(Canvas& canvas, const Seen&, const Json& answer) const override {
    for (const Json& object : answer["objects"]) {
      const Colour colour = class_colour(object["index"].get<size_t>() + 1);
      const auto side = [&](size_t k) { return object["box"][k].get<double>(); };
      canvas.rectangle(side(0), side(1), side(0) + side(2), side(1) + side(3), colour);
      canvas.label(side(0), side(1) - canvas.line_height(), label_of(object["name"], object["score"]), colour);
    }
  }

  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/detect.h\"\n";
    code.declaration = R"(struct Object {
  int32_t index;
  std::string name;
  double score;
  double left, top, width, height; /* in the picture's pixels */
};
/// The best first.
struct Answer {
  std::vector<Object> objects;
};
)";
    code.constants = names_of(classes_) + heads();
    code.body =
        fmt::format("  std::vector<nibble_object> room({0});\n  nibble_objects objects{{room.data(), 0, {0}}};\n",
                    most_objects) +
        calls() +
        fmt::format("  nibble_suppress(&objects, {}, {}, {});\n", literal(options_.overlap), options_.across ? 1 : 0,
                    options_.most);
    code.body += R"(  for (int64_t i = 0; i < objects.count; ++i) {
    const nibble_object& o = room[static_cast<size_t>(i)];
    const double left = picture_x(at, o.left), top = picture_y(at, o.top);
    answer.objects.push_back({o.class_index, class_name(o.class_index), o.score, left, top,
                              picture_x(at, o.right) - left, picture_y(at, o.bottom) - top});
  }
)";
    code.json = R"(  text += "{\"objects\": [";
  for (const Object& o : answer.objects) {
    text += text.back() == '[' ? "" : ", ";
    text += "{\"index\": " + std::to_string(o.index) + ", \"name\": " + quoted(o.name) + ", \"score\": " + number(o.score) +
            ", \"box\": [" + number(o.left) + ", " + number(o.top) + ", " + number(o.width) + ", " + number(o.height) + "]}";
  }
  text += "]}";
)";
    return code;
  }

 protected:
  virtual void decode(const Seen& seen, nibble_objects& objects) const = 0;
  /// Of generated code: the heads' constants, and the calls that decode them.
  virtual std::string heads() const = 0;
  virtual std::string calls() const = 0;
  Options options_;

 private:
  std::vector<std::string> classes_;
};

Shape without_batch(Shape extents, size_t rank) {
  while (extents.size() > rank && extents[0] == 1) extents.erase(extents.begin());
  return extents;
}

class Ssd : public Detection {
 public:
  Ssd(const Description& app, const Section& section, const Parts& parts, const Ports& outputs,
      const std::string& place)
      : Detection(app, options_of(section)) {
    const Json& names = section.part("outputs");
    if (!names.is_array() || names.size() != 2) section.refuse("outputs", "two names: of offsets, of scores");
    offsets_ = output_named(outputs, names[0], section.at("outputs"));
    scores_ = output_named(outputs, names[1], section.at("outputs"));
    anchors_ = array_of(parts, section.text("anchors"), "anchors", section.at("anchors"));
    const Shape offsets = without_batch(outputs[offsets_].value.extents, 2);
    const Shape scores = without_batch(outputs[scores_].value.extents, 2);
    const int64_t count = static_cast<int64_t>(anchors_.size()) / 4;
    if (offsets != Shape({count, 4}) || scores.size() != 2 || scores[0] != count || anchors_.size() % 4 != 0)
      fail("app", section.at("outputs"),
           "offsets " + to_string(offsets) + ", scores " + to_string(scores) + " and " +
               std::to_string(anchors_.size()) + " numbers of anchors",
           "[N, 4], [N, classes] and 4 N");
    const bool background = options_.background >= 0;
    check_classes(app, scores[1] - (background ? 1 : 0), place);
    head_ = {anchors_.as<float>().data(),
             count,
             static_cast<int32_t>(scores[1]),
             static_cast<int32_t>(options_.background),
             options_.scores,
             {0.1, 0.2},
             options_.y_first ? 1 : 0};
    if (section.has("variance")) {
      const Json& variance = section.part("variance");
      const bool fine =
          variance.is_array() && variance.size() == 2 && variance[0].is_number() && variance[1].is_number();
      if (!fine) section.refuse("variance", "two numbers");
      for (size_t i = 0; i < 2; ++i) head_.variance[i] = variance[i].get<double>();
    }
  }

 protected:
  void decode(const Seen& seen, nibble_objects& objects) const override {
    nibble_decode_ssd(&head_, seen.outputs[offsets_].reals.data(), seen.outputs[scores_].reals.data(),
                      options_.threshold, &objects);
  }

  std::string heads() const override {
    return fmt::format("const float anchors[] = {{\n    {}}};\n", literals(head_.anchors, anchors_.size())) +
           fmt::format("const nibble_ssd head = {{anchors, {}, {}, {}, {}, {{{}, {}}}, {}}};\n", head_.count,
                       head_.classes, head_.background, scores_name(head_.scores), literal(head_.variance[0]),
                       literal(head_.variance[1]), head_.y_first);
  }
  std::string calls() const override {
    return fmt::format("  nibble_decode_ssd(&head, reals[{}].data(), reals[{}].data(), {}, &objects);\n", offsets_,
                       scores_, literal(options_.threshold));
  }

 private:
  size_t offsets_ = 0, scores_ = 0;
  Tensor anchors_;
  nibble_ssd head_{};
};

class Yolo : public Detection {
 public:
  Yolo(const Description& app, const Section& section, nibble_yolo_form form, const Ports& outputs,
       const std::string& place)
      : Detection(app, options_of(section)) {
    const Json names = section.has("outputs") ? section.part("outputs") : Json::array({Json()});
    const Json& strides = section.part("strides");
    if (!names.is_array() || names.empty()) section.refuse("outputs", "a name each scale");
    if (!strides.is_array() || strides.size() != names.size()) section.refuse("strides", "a number each output");
    const bool sized = form == NIBBLE_YOLO_V3 || form == NIBBLE_YOLO_V5;
    if (sized && (!section.part("anchors").is_array() || section.part("anchors").size() != names.size()))
      section.refuse("anchors", "a list of [width, height] each output");
    sizes_.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      const size_t output = output_named(outputs, names[i], section.at("outputs"));
      if (sized) sizes_[i] = sizes_of(section, section.part("anchors")[i]);
      if (!strides[i].is_number() || !(strides[i].get<double>() > 0)) section.refuse("strides", "positive numbers");
      heads_.push_back({output, head_of(app, form, outputs[output], sizes_[i], strides[i].get<double>(), place)});
    }
  }

 protected:
  void decode(const Seen& seen, nibble_objects& objects) const override {
    for (const auto& [output, head] : heads_)
      nibble_decode_yolo(&head, seen.outputs[output].reals.data(), options_.threshold, &objects);
  }

  std::string heads() const override {
    static constexpr const char* forms[] = {"NIBBLE_YOLO_V3", "NIBBLE_YOLO_V5", "NIBBLE_YOLO_X", "NIBBLE_YOLO_V8"};
    std::string text, list;
    for (size_t i = 0; i < heads_.size(); ++i) {
      const nibble_yolo& head = heads_[i].head;
      const std::string sizes = sizes_[i].empty() ? "nullptr" : "sizes" + std::to_string(i);
      if (!sizes_[i].empty())
        text += fmt::format("const float {}[] = {{{}}};\n", sizes, literals(sizes_[i].data(), sizes_[i].size()));
      list += fmt::format("    {{{}, {}, {}, {}, {}, {}, {}, {}, {}}},\n", forms[head.form], head.rows, head.columns,
                          head.anchors, head.classes, head.bins, sizes, literal(head.stride), scores_name(head.scores));
    }
    return text + "const nibble_yolo heads[] = {\n" + list + "};\n";
  }
  std::string calls() const override {
    std::string text;
    for (size_t i = 0; i < heads_.size(); ++i)
      text += fmt::format("  nibble_decode_yolo(&heads[{}], reals[{}].data(), {}, &objects);\n", i, heads_[i].output,
                          literal(options_.threshold));
    return text;
  }

 private:
  static std::vector<float> sizes_of(const Section& section, const Json& pairs) {
    std::vector<float> sizes;
    for (const Json& pair : pairs)
      for (size_t k = 0; k < 2; ++k) {
        if (!pair.is_array() || pair.size() != 2 || !pair[k].is_number())
          section.refuse("anchors", "a list of [width, height] each output");
        sizes.push_back(pair[k].get<float>());
      }
    if (sizes.empty()) section.refuse("anchors", "a list of [width, height] each output");
    return sizes;
  }

  nibble_yolo head_of(const Description& app, nibble_yolo_form form, const program::Port& port,
                      const std::vector<float>& sizes, double stride, const std::string& place) const {
    const Shape extents = without_batch(port.value.extents, 3);
    const auto anchors = sizes.empty() ? 1 : static_cast<int64_t>(sizes.size()) / 2;
    const int64_t before = form == NIBBLE_YOLO_V8 ? 4 * options_.bins : 5;
    if (extents.size() != 3 || extents[0] % anchors != 0 || extents[0] / anchors < before)
      fail("app", place + ": output", "'" + port.value.name + "' is " + to_string(port.value.extents),
           "[" + std::to_string(anchors) + " * (" + std::to_string(before) + " + classes), rows, columns]");
    const int64_t classes = extents[0] / anchors - before;
    check_classes(app, std::max<int64_t>(classes, 1), place);
    return {form,
            static_cast<int32_t>(extents[1]),
            static_cast<int32_t>(extents[2]),
            static_cast<int32_t>(anchors),
            static_cast<int32_t>(classes),
            static_cast<int32_t>(options_.bins),
            sizes.empty() ? nullptr : sizes.data(),
            stride,
            options_.scores};
  }

  struct Head {
    size_t output;
    nibble_yolo head;
  };
  std::vector<Head> heads_;
  std::vector<std::vector<float>> sizes_;
};

}  // namespace

std::unique_ptr<Task> open_detection(const Description& app, const Parts& parts, const Ports& outputs,
                                     const std::string& place) {
  const Section section(app.output, "app", place + ": output",
                        {"head", "outputs", "strides", "anchors", "variance", "background", "scores", "y_first", "bins",
                         "threshold", "overlap", "across", "most"});
  std::string head;
  section.part("head");
  section.name("head", head, {"ssd", "yolo_v3", "yolo_v5", "yolo_x", "yolo_v8"});
  if (head == "ssd") return std::make_unique<Ssd>(app, section, parts, outputs, place);
  const nibble_yolo_form form = head == "yolo_v3"   ? NIBBLE_YOLO_V3
                                : head == "yolo_v5" ? NIBBLE_YOLO_V5
                                : head == "yolo_x"  ? NIBBLE_YOLO_X
                                                    : NIBBLE_YOLO_V8;
  return std::make_unique<Yolo>(app, section, form, outputs, place);
}

}  // namespace nibble::app
