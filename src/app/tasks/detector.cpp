#include "app/tasks/detector.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace nibble::app {
namespace {

void read_options(const Section& section, Detector& detector) {
  std::string scores = "logistic";
  section.name("scores", scores, {"scores", "logistic", "softmax"});
  detector.scores = scores == "scores" ? NIBBLE_SCORES : scores == "softmax" ? NIBBLE_NORMALISED : NIBBLE_LOGISTIC;
  section.real("threshold", detector.threshold, 0, 1);
  section.real("overlap", detector.overlap, 0, 1);
  section.whole("most", detector.most, 1, Detector::most_candidates);
  section.whole("background", detector.background, -1, 100000);
  section.whole("bins", detector.bins, 1, 64);
  section.flag("across", detector.across);
  section.flag("y_first", detector.y_first);
}

Detector::Ssd ssd_of(const Description& app, const Section& section, const Detector& options, const Parts& parts,
                     const Ports& outputs, const std::string& place) {
  Detector::Ssd ssd;
  const Json& names = section.part("outputs");
  if (!names.is_array() || names.size() != 2) section.refuse("outputs", "two names: of offsets, of scores");
  ssd.offsets = output_named(outputs, names[0], section.at("outputs"));
  ssd.scores = output_named(outputs, names[1], section.at("outputs"));
  ssd.anchors = array_of(parts, section.text("anchors"), "anchors", section.at("anchors"));
  const Shape offsets = without_batch(outputs[ssd.offsets].value.extents, 2);
  const Shape scores = without_batch(outputs[ssd.scores].value.extents, 2);
  const int64_t count = static_cast<int64_t>(ssd.anchors.size()) / 4;
  if (offsets != Shape({count, 4}) || scores.size() != 2 || scores[0] != count || ssd.anchors.size() % 4 != 0)
    fail("app", section.at("outputs"),
         "offsets " + to_string(offsets) + ", scores " + to_string(scores) + " and " +
             std::to_string(ssd.anchors.size()) + " numbers of anchors",
         "[N, 4], [N, classes] and 4 N");
  check_classes(app, scores[1] - (options.background >= 0 ? 1 : 0), place);
  ssd.head = {nullptr,        count,      static_cast<int32_t>(scores[1]), static_cast<int32_t>(options.background),
              options.scores, {0.1, 0.2}, options.y_first ? 1 : 0};
  if (section.has("variance")) {
    const Json& variance = section.part("variance");
    const bool fine = variance.is_array() && variance.size() == 2 && variance[0].is_number() && variance[1].is_number();
    if (!fine) section.refuse("variance", "two numbers");
    for (size_t i = 0; i < 2; ++i) ssd.head.variance[i] = variance[i].get<double>();
  }
  return ssd;
}

std::vector<float> sizes_of(const Section& section, const Json& pairs) {
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

nibble_yolo head_of(const Description& app, nibble_yolo_form form, const Detector& options, const program::Port& port,
                    const std::vector<float>& sizes, double stride, const std::string& place) {
  const Shape extents = without_batch(port.value.extents, 3);
  const auto anchors = sizes.empty() ? 1 : static_cast<int64_t>(sizes.size()) / 2;
  const int64_t before = form == NIBBLE_YOLO_V8 ? 4 * options.bins : 5;
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
          static_cast<int32_t>(options.bins),
          nullptr,
          stride,
          options.scores};
}

std::vector<Detector::Yolo> yolo_of(const Description& app, const Section& section, nibble_yolo_form form,
                                    const Detector& options, const Ports& outputs, const std::string& place) {
  const Json names = section.has("outputs") ? section.part("outputs") : Json::array({Json()});
  const Json& strides = section.part("strides");
  if (!names.is_array() || names.empty()) section.refuse("outputs", "a name each scale");
  if (!strides.is_array() || strides.size() != names.size()) section.refuse("strides", "a number each output");
  const bool sized = form == NIBBLE_YOLO_V3 || form == NIBBLE_YOLO_V5;
  if (sized && (!section.part("anchors").is_array() || section.part("anchors").size() != names.size()))
    section.refuse("anchors", "a list of [width, height] each output");
  std::vector<Detector::Yolo> heads(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    heads[i].output = output_named(outputs, names[i], section.at("outputs"));
    if (sized) heads[i].sizes = sizes_of(section, section.part("anchors")[i]);
    if (!strides[i].is_number() || !(strides[i].get<double>() > 0)) section.refuse("strides", "positive numbers");
    heads[i].head =
        head_of(app, form, options, outputs[heads[i].output], heads[i].sizes, strides[i].get<double>(), place);
  }
  return heads;
}

}  // namespace

nibble_ssd Detector::Ssd::whole() const {
  nibble_ssd result = head;
  result.anchors = anchors.as<float>().data();
  return result;
}

nibble_yolo Detector::Yolo::whole() const {
  nibble_yolo result = head;
  result.sizes = sizes.empty() ? nullptr : sizes.data();
  return result;
}

Shape without_batch(Shape extents, size_t rank) {
  while (extents.size() > rank && extents[0] == 1) extents.erase(extents.begin());
  return extents;
}

Detector detector_of(const Description& app, const Parts& parts, const Ports& outputs, const std::string& place) {
  const Section section(app.output, "app", place + ": output",
                        {"head", "outputs", "strides", "anchors", "variance", "background", "scores", "y_first", "bins",
                         "threshold", "overlap", "across", "most"});
  Detector detector;
  std::string head;
  section.part("head");
  section.name("head", head, {"ssd", "yolo_v3", "yolo_v5", "yolo_x", "yolo_v8"});
  read_options(section, detector);
  const nibble_yolo_form form = head == "yolo_v3"   ? NIBBLE_YOLO_V3
                                : head == "yolo_v5" ? NIBBLE_YOLO_V5
                                : head == "yolo_x"  ? NIBBLE_YOLO_X
                                                    : NIBBLE_YOLO_V8;
  if (head == "ssd")
    detector.ssd = ssd_of(app, section, detector, parts, outputs, place);
  else
    detector.yolo = yolo_of(app, section, form, detector, outputs, place);
  return detector;
}

}  // namespace nibble::app
