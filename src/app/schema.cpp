#include "app/tasks.hpp"

namespace nibble::app {
namespace {

Json text(std::string_view about) {
  return {{"type", "string"}, {"description", about}};
}
Json numbers(std::string_view about) {
  return {{"type", "array"}, {"items", {{"type", "number"}}}, {"description", about}};
}

Json image_schema() {
  return {{"type", "object"},
          {"description", "a picture; what is left out is what the network carries"},
          {"additionalProperties", false},
          {"properties",
           {{"size", numbers("[height, width] of the network's input")},
            {"fit", {{"enum", {"stretch", "letterbox", "cover"}}}},
            {"percent", {{"type", "integer"}, {"description", "cover: how much is kept, 1 to 100"}}},
            {"filter", {{"enum", {"bilinear", "area"}}}},
            {"pad", numbers("[red, green, blue] of 0 to 255")},
            {"channels", {{"enum", {"RGB", "BGR", "gray"}}}},
            {"scale", {{"type", "number"}, {"description", "value = (pixel * scale - mean) / std"}}},
            {"mean", numbers("one, or one a channel")},
            {"std", numbers("one, or one a channel")}}}};
}

Json samples_schema() {
  const Json one = {
      {"type", "object"},
      {"required", {"input"}},
      {"properties", {{"input", text("a file")}, {"box", numbers("x, y, width, height")}, {"golden", Json::object()}}}};
  return {{"type", "array"}, {"items", {{"oneOf", {text("a file"), one}}}}};
}

}  // namespace

Json description_schema() {
  Json of_tasks = Json::array();
  Json names = Json::array();
  for (const TaskRow& row : tasks()) {
    names.push_back(row.name);
    Json output = row.output_schema();
    output["additionalProperties"] = false;
    output["properties"]["output"] = text("name of the network's output, where it has several");
    of_tasks.push_back({{"if", {{"properties", {{"task", {{"const", row.name}}}}}}},
                        {"then", {{"properties", {{"output", std::move(output)}}}}}});
  }
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "app.json of a Nibble application"},
          {"type", "object"},
          {"required", {"name", "task", "network"}},
          {"additionalProperties", false},
          {"properties",
           {{"nibble_app", {{"const", version}}},
            {"name", text("of the application")},
            {"task", {{"enum", std::move(names)}}},
            {"network", text("an integer network (.onnx) or a program (.nib)")},
            {"input",
             {{"type", "object"},
              {"maxProperties", 1},
              {"properties", {{"image", image_schema()}, {"sound", Json::object()}, {"numbers", Json::object()}}}}},
            {"output", Json::object()},
            {"classes", {{"description", "names in the network's order, or a file of one a line"}}},
            {"samples", samples_schema()},
            {"licence", text("of the application")},
            {"provenance", {{"description", "where the network and its data come from"}}},
            {"report", {{"description", "files that say how it was quantised: integerize --certificate"}}},
            {"targets", {{"type", "object"}, {"description", "memory and work a machine"}}},
            {"files", {{"type", "object"}, {"description", "hash and size of every part; written by 'app pack'"}}}}},
          {"allOf", std::move(of_tasks)}};
}

}  // namespace nibble::app
