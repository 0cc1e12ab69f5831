#include "app/pack.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::app {
namespace {

void add(std::vector<std::string>& names, const Json& json) {
  if (json.is_string()) names.push_back(json.get<std::string>());
}

/// Of the keys that name files; what is wrong with them is said by describe().
std::vector<std::string> named_in(const Json& app) {
  std::vector<std::string> names;
  const auto at = [&](const Json& object, const char* key) {
    return object.is_object() ? object.value(key, Json()) : Json();
  };
  add(names, at(app, "classes"));
  add(names, at(at(app, "output"), "model"));
  add(names, at(at(app, "output"), "anchors"));
  for (const char* key : {"report", "samples"}) {
    const Json list = at(app, key);
    add(names, list);
    if (list.is_array())
      for (const Json& item : list) add(names, item.is_object() ? at(item, "input") : item);
  }
  return names;
}

}  // namespace

Parts read_parts(const Json& app, const std::filesystem::path& folder, const std::string& place) {
  Parts parts;
  for (const std::string& name : named_in(app)) {
    check_part_name(name, place);
    parts.emplace(name, read_file(folder / name, "app"));
  }
  return parts;
}

}  // namespace nibble::app
