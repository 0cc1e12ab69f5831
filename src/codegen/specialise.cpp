#include "codegen/specialise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <regex>
#include <set>

#include "base/error.hpp"
#include "codegen/literals.hpp"
#include "kernels/fields.h"
#include "program/parameters.hpp"

namespace nibble::codegen {
namespace {

bool is_convolution(const program::Step& step) {
  return step.kind == NIBBLE_KIND_CONV || step.kind == NIBBLE_KIND_CONV_TRANSPOSE;
}

std::string literal_of(int64_t number, int type) {
  if (type == NIBBLE_FIELD_F32) return real(std::bit_cast<double>(number), true);
  return type == NIBBLE_FIELD_I64 ? fmt::format("(int64_t){}", integer(number, true))
                                  : fmt::format("(int32_t){}", integer(number, false));
}

/// Whether every variable of that name in the text points to one of these types.
bool always_of(const std::string& text, const std::string& variable, const std::set<std::string>& types) {
  const std::regex declared("(\\w+)\\s*\\*\\s*(?:const\\s+)?" + variable + "\\b(?!\\s*\\()");
  bool found = false;
  for (std::sregex_iterator it(text.begin(), text.end(), declared), end; it != end; ++it) {
    const std::string type = (*it)[1];
    // A product is no declaration.
    if (!type.starts_with("nibble_") && !type.ends_with("_t") && type != "void" && type != "char") continue;
    if (!types.contains(type)) return false;
    found = true;
  }
  return found;
}

void write_into(std::string& text, const Same& same) {
  const std::string owner =
      same.within.empty() ? "((?:j->)?p)->" : "((?:j->)?p->" + same.within + "(?=\\.)|s(?=->))(?:\\.|->)";
  std::string subscript = "(?![\\w\\[])";
  if (same.index == Same::every) subscript = "\\[[^\\[\\]]*\\]";
  if (same.index >= 0) subscript = "\\[" + std::to_string(same.index) + "\\]";
  const std::string value = fmt::format("$1NIBBLE_SAME($2, {}, {})", same.name, same.literal);
  text = std::regex_replace(text, std::regex("(^|[^\\w>.])" + owner + same.name + subscript), value);
}

/// Whether a source on convolutions reads the field. One whose convolutions are all called p may name others alike.
bool is_read(const std::map<std::string, std::string>& files, const std::string& name) {
  const std::regex reads("(->|\\.)" + name + "\\b"), of_p("(^|[^\\w>.])(j->)?p->" + name + "\\b");
  const std::regex convolution("nibble_conv(?:_transpose)?\\s*\\*\\s*(?:const\\s+)?(\\w*)");
  return std::any_of(files.begin(), files.end(), [&](const auto& file) {
    const std::string& text = file.second;
    bool any = false, all_p = true;
    for (std::sregex_iterator it(text.begin(), text.end(), convolution), end; it != end; ++it) {
      any = true;
      all_p = all_p && (*it)[1] == "p";
    }
    return any && std::regex_search(text, all_p ? of_p : reads);
  });
}

/// Takes out functions that ask whether a kernel takes a step: that is decided.
void take_out_questions(std::map<std::string, std::string>& files) {
  const std::regex question("static inline int (nibble_\\w*takes\\w*)\\([^)]*\\) \\{\n(?:[^}\n][^\n]*\n)*\\}\n+");
  const auto is_called = [&](const std::string& name) {
    size_t count = 0;
    for (const auto& [file, text] : files)
      for (size_t at = text.find(name + "("); at != text.npos; at = text.find(name + "(", at + 1)) ++count;
    return count > 1;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& [file, text] : files) {
      std::smatch found;
      for (std::string rest = text; std::regex_search(rest, found, question); rest = found.suffix()) {
        if (is_called(found[1])) continue;
        text.replace(text.find(found[0].str()), static_cast<size_t>(found[0].length()), "");
        changed = true;
        break;
      }
    }
  }
}

/// Takes a field's line out of nibble_conv's list.
bool take_out(std::string& header, const std::string& name) {
  const size_t begin = header.find("#define NIBBLE_CONV_FIELDS(");
  ensure(begin != std::string::npos, "the kernels' header lists a convolution's fields");
  const size_t end = header.find("STAGE(stage)", begin);
  const std::regex line("\n  (NUMBER|ARRAY)\\(\\w+, " + name + "[,)][^\n]*\\\\");
  std::string list = header.substr(begin, end - begin);
  const std::string shorter = std::regex_replace(list, line, "");
  if (shorter == list) return false;
  header.replace(begin, end - begin, shorter);
  return true;
}

}  // namespace

std::vector<Same> same_in_convolutions(const Code& code) {
  std::vector<Same> same;
  // As kernels see them.
  std::vector<std::vector<int64_t>> steps;
  for (const program::Step& step : code.program.steps)
    if (is_convolution(step))
      for (std::vector<int64_t>& part : program::parts_of(step.kind, step.numbers, step.rows))
        steps.push_back(std::move(part));
  if (steps.empty()) return same;
  const nibble_kind_fields& of = *nibble_fields_of(NIBBLE_KIND_CONV);
  size_t at = 0;
  for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count)) {
    const nibble_field& field = of.fields[i];
    if (field.type == NIBBLE_FIELD_POINTER || field.type == NIBBLE_FIELD_F64) continue;
    // Tiles of fetched weights have channels of their own.
    if (!code.external.steps.empty() && std::string_view(field.name) == "out_channels") continue;
    const auto is_everywhere = [&](int64_t number) {
      return std::all_of(steps.begin(), steps.end(), [&](const std::vector<int64_t>& numbers) {
        const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(at);
        return std::all_of(first, first + field.count, [&](int64_t other) { return other == number; });
      });
    };
    if (field.count > 1 && is_everywhere(steps.front()[at])) {
      same.push_back({field.within, field.name, Same::every, literal_of(steps.front()[at], field.type)});
      continue;
    }
    for (int k = 0; k < field.count; ++k) {
      const int64_t number = steps.front()[at + static_cast<size_t>(k)];
      if (std::all_of(steps.begin(), steps.end(), [&](const std::vector<int64_t>& numbers) {
            return numbers[at + static_cast<size_t>(k)] == number;
          }))
        same.push_back({field.within, field.name, field.count > 1 ? k : Same::whole, literal_of(number, field.type)});
    }
  }
  return same;
}

std::vector<Same> specialise(const std::vector<Same>& same, std::map<std::string, std::string>& files) {
  take_out_questions(files);
  for (auto& [name, text] : files) {
    if (name == "kernels/kernels.h" || !always_of(text, "p", {"nibble_conv"})) continue;
    // `s` is a stage, or a spot, whose fields have other names.
    const bool stages = text.find("* s") == text.npos || always_of(text, "s", {"nibble_stage", "nibble_spot"});
    for (const Same& each : same)
      if (each.within.empty() || stages) write_into(text, each);
  }
  std::string& header = files.at("kernels/kernels.h");
  std::vector<Same> left_out;
  std::map<std::string, std::string> readers = files;
  readers.erase("kernels/kernels.h");
  for (const Same& each : same)
    if (each.within.empty() && each.index < 0 && !is_read(readers, each.name) && take_out(header, each.name))
      left_out.push_back(each);
  return left_out;
}

std::string forms_left_out(const Code& code) {
  std::set<int64_t> forms;
  bool wide = false, float_sum = false;
  for (const program::Step& step : code.program.steps) {
    const nibble_kind_fields& of = *nibble_fields_of(step.kind);
    size_t at = 0;
    for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count)) {
      if (std::string_view(of.fields[i].name) == "sum_form") float_sum = float_sum || step.numbers[at] == 2;
      if (std::string_view(of.fields[i].within) != "stage") continue;
      if (std::string_view(of.fields[i].name) == "form") forms.insert(step.numbers[at]);
      if (std::string_view(of.fields[i].name) == "wide") wide = wide || step.numbers[at] != 0;
    }
  }
  std::string text;
  const auto leave = [&](const char* name, bool there) {
    if (!there) text += fmt::format("#define NIBBLE_WITHOUT_{}\n", name);
  };
  leave("PRODUCT", forms.contains(NIBBLE_STAGE_PRODUCT));
  leave("WIDE", wide);
  leave("FLOAT_SUM", float_sum);
  leave("FLOAT", forms.contains(NIBBLE_STAGE_FLOAT));
  leave("DIVIDE", forms.contains(NIBBLE_STAGE_DIVIDE));
  leave("THRESHOLDS", forms.contains(NIBBLE_STAGE_THRESHOLDS));
  leave("TABLE", forms.contains(NIBBLE_STAGE_TABLE));
  leave("INTERPOLATED", forms.contains(NIBBLE_STAGE_INTERPOLATED));
  return text;
}

}  // namespace nibble::codegen
