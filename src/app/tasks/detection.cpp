#include <fmt/format.h>

#include "app/tasks/detector.hpp"

namespace nibble::app {
namespace {

const char* scores_name(nibble_scores scores) {
  return scores == NIBBLE_SCORES     ? "NIBBLE_SCORES"
         : scores == NIBBLE_LOGISTIC ? "NIBBLE_LOGISTIC"
                                     : "NIBBLE_NORMALISED";
}

/// Boxes in the network's input become the answer in the picture.
class Detection : public Task {
 public:
  Detection(const Description& app, Detector detector) : detector_(std::move(detector)), classes_(app.classes) {}

  Json answer(const std::vector<Seen>& windows) const override {
    const Seen& seen = windows.front();
    std::vector<nibble_object> room(Detector::most_candidates);
    nibble_objects objects{room.data(), 0, Detector::most_candidates};
    decode(seen, objects);
    nibble_suppress(&objects, detector_.overlap, detector_.across ? 1 : 0, detector_.most);
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
                    Detector::most_candidates) +
        calls() +
        fmt::format("  nibble_suppress(&objects, {}, {}, {});\n", literal(detector_.overlap), detector_.across ? 1 : 0,
                    detector_.most);
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

 private:
  void decode(const Seen& seen, nibble_objects& objects) const {
    const auto reals = [&](size_t output) { return seen.outputs[output].reals.data(); };
    if (detector_.ssd) {
      const nibble_ssd head = detector_.ssd->whole();
      nibble_decode_ssd(&head, reals(detector_.ssd->offsets), reals(detector_.ssd->scores), detector_.threshold,
                        &objects);
    }
    for (const Detector::Yolo& yolo : detector_.yolo) {
      const nibble_yolo head = yolo.whole();
      nibble_decode_yolo(&head, reals(yolo.output), detector_.threshold, &objects);
    }
  }

  /// Of generated code: the heads' constants.
  std::string heads() const {
    static constexpr const char* forms[] = {"NIBBLE_YOLO_V3", "NIBBLE_YOLO_V5", "NIBBLE_YOLO_X", "NIBBLE_YOLO_V8"};
    if (detector_.ssd) {
      const nibble_ssd head = detector_.ssd->whole();
      return fmt::format("const float anchors[] = {{\n    {}}};\n",
                         literals(head.anchors, detector_.ssd->anchors.size())) +
             fmt::format("const nibble_ssd head = {{anchors, {}, {}, {}, {}, {{{}, {}}}, {}}};\n", head.count,
                         head.classes, head.background, scores_name(head.scores), literal(head.variance[0]),
                         literal(head.variance[1]), head.y_first);
    }
    std::string text, list;
    for (size_t i = 0; i < detector_.yolo.size(); ++i) {
      const auto& [output, of, head] = detector_.yolo[i];
      const std::string sizes = of.empty() ? "nullptr" : "sizes" + std::to_string(i);
      if (!of.empty()) text += fmt::format("const float {}[] = {{{}}};\n", sizes, literals(of.data(), of.size()));
      list += fmt::format("    {{{}, {}, {}, {}, {}, {}, {}, {}, {}}},\n", forms[head.form], head.rows, head.columns,
                          head.anchors, head.classes, head.bins, sizes, literal(head.stride), scores_name(head.scores));
    }
    return text + "const nibble_yolo heads[] = {\n" + list + "};\n";
  }

  /// Of generated code: the calls that decode them.
  std::string calls() const {
    if (detector_.ssd)
      return fmt::format("  nibble_decode_ssd(&head, reals[{}].data(), reals[{}].data(), {}, &objects);\n",
                         detector_.ssd->offsets, detector_.ssd->scores, literal(detector_.threshold));
    std::string text;
    for (size_t i = 0; i < detector_.yolo.size(); ++i)
      text += fmt::format("  nibble_decode_yolo(&heads[{}], reals[{}].data(), {}, &objects);\n", i,
                          detector_.yolo[i].output, literal(detector_.threshold));
    return text;
  }

  Detector detector_;
  std::vector<std::string> classes_;
};

}  // namespace

std::unique_ptr<Task> open_detection(const Description& app, const Parts& parts, const Ports& outputs,
                                     const std::string& place) {
  return std::make_unique<Detection>(app, detector_of(app, parts, outputs, place));
}

}  // namespace nibble::app
