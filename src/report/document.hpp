#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"

/// A report before its form: sections of texts, tables and charts, written as HTML, Markdown or LaTeX.
namespace nibble::report {

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< a cell for every column
  size_t texts = 1;                            ///< the first so many columns are texts, the rest numbers
};

/// One Vega-Lite specification a panel, its data inside, without a width: it is as wide as the page leaves it.
struct Chart {
  struct Panel {
    std::string title;  ///< empty where there is one
    Json spec;
  };
  std::string title;
  std::string text;  ///< what it shows, for who does not see it
  std::vector<Panel> panels;
  std::vector<std::string> legend = {};  ///< of all panels: the names of palette()'s colours
};

/// Text of a file or a command, as it is.
struct Listing {
  std::string title;
  std::string text;
};

/// A verdict and what it is of: the answer's lines.
struct Verdict {
  enum class Kind : unsigned char { Equivalent, Gains, Loses, Undecided, Note };
  Kind kind = Kind::Note;
  std::string text;
};

/// "equivalent", "gains", "loses", "undecided"; "" of a note.
inline std::string_view name_of(Verdict::Kind kind) {
  constexpr std::string_view names[] = {"equivalent", "gains", "loses", "undecided", ""};
  return names[static_cast<size_t>(kind)];
}

using Block = std::variant<std::string, Verdict, Table, Chart, Listing>;

struct Section {
  std::string title;
  std::vector<Block> blocks;
};

struct Document {
  std::string title;
  std::string subtitle;
  std::vector<Section> sections;
};

/// Colours of names, in their order, told apart on paper too. Source: Tol 2021, bright and muted.
const std::vector<std::string>& palette();

/// One self-contained file. `library`: the JavaScript that draws charts; without it their texts stand in their places.
std::string html(const Document& document, const std::string& library);
/// Without charts, which have their numbers in tables or texts.
std::string markdown(const Document& document);
/// What \input takes: needs the packages booktabs and longtable.
std::string latex(const Document& document);

}  // namespace nibble::report
