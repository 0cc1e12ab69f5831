#include "app/server/form.hpp"

#include <string>

#include "app/server/refused.hpp"

namespace nibble::app {
namespace {

constexpr std::string_view form_data = "multipart/form-data";
constexpr size_t most_part_head = 4096;

/// Whether the header of a part names a file.
bool has_file_name(std::string_view head) {
  return head.find("filename=") != head.npos || head.find("filename*=") != head.npos;
}

}  // namespace

std::string_view file_of_form(std::string_view body, std::string_view boundary) {
  if (boundary.empty() || boundary.size() > 70)
    refuse(400, std::string(form_data) + " with no boundary, or one of more than 70 letters", "boundary=...");
  const std::string first = "--" + std::string(boundary), between = "\r\n" + first;
  if (!body.starts_with(first)) refuse(400, "a form that does not begin with its boundary", form_data.data());
  std::string_view rest = body.substr(first.size()), file;
  bool found = false;
  while (!rest.starts_with("--")) {
    if (!rest.starts_with("\r\n")) refuse(400, "a boundary that ends without CR LF", form_data.data());
    const size_t head = rest.substr(0, most_part_head).find("\r\n\r\n");
    if (head == rest.npos) refuse(400, "a form's part without the blank line after its header", form_data.data());
    const std::string_view content = rest.substr(head + 4);
    const size_t end = content.find(between);
    if (end == content.npos) refuse(400, "a form that ends before its last boundary", form_data.data());
    if (has_file_name(rest.substr(0, head))) {
      if (found) refuse(400, "several files", "one");
      found = true;
      file = content.substr(0, end);
    }
    rest = content.substr(end + between.size());
  }
  if (!found) refuse(400, "a form without a file", "one");
  return file;
}

}  // namespace nibble::app
