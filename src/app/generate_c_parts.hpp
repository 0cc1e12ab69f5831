#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "app/description.hpp"
#include "app/generate_c.hpp"
#include "app/input.hpp"

/// What the C around a network is put together of (generate_c.cpp).
namespace nibble::app {

/// From what comes in to the network's input, as text: PREFIX and the names that generate_c.cpp gives stand for themselves.
struct IntakeCode {
  std::string what;                ///< "a picture"
  std::string include;             ///< the header of `processing` that it reads
  std::vector<std::string> files;  ///< of `processing`: what the code includes, headers and sources
  std::vector<std::string> functions;
  std::string declaration;  ///< of the header, before PREFIX_answer
  std::string parameters, parameters_are;
  std::string scratch_parameters, scratch_is, scratch;  ///< statements that return its bytes, behind room_bytes()
  std::string tables, room;
  std::string code;  ///< fills room->input
};
/// `levels` are those of the network's input. Throws UserError where it has no integer form.
IntakeCode picture_intake(const Description& app, const NetworkCode& network, const Levels& levels,
                          const std::string& place);
IntakeCode sound_intake(const Description& app, const NetworkCode& network, const Levels& levels,
                        const std::string& place);

/// Whether a tensor's elements lie one behind another in the network's order of axes.
bool lies_row_by_row(const program::Port& port);

/// A C array of a table; of none, of one 0.
template <class T>
std::string c_array(std::string_view type, std::string_view name, const T* begin, size_t count) {
  std::string text = fmt::format("static const {} {}[] = {{", type, name);
  for (size_t i = 0; i < count; ++i) text += fmt::format("{}{},", i % 16 == 0 ? "\n    " : " ", begin[i]);
  return text + (count == 0 ? "0};\n" : "\n};\n");
}

/// From the network's outputs to the answer.
struct AnswerCode {
  std::string declaration;  ///< of PREFIX_answer
  std::string tables, room, code;
  std::vector<std::string> files{}, functions{};  ///< of `processing`, besides those of fixed.h
  std::string about{};                            ///< for people: what it takes and how near it is
};
/// Throws UserError where the task has no integer form.
AnswerCode answer_code(const Description& app, const Parts& parts, const NetworkCode& network,
                       const std::string& place);
AnswerCode detection_answer(const Description& app, const Parts& parts, const NetworkCode& network,
                            const std::string& place);
AnswerCode landmarks_answer(const Description& app, const Parts& parts, const NetworkCode& network,
                            const std::string& place);

/// `value` of the network's input, 1/65536 pixel along x or y, as C that gives 1/16 pixel of the picture; a length where
/// `length`.
std::string picture_place(std::string_view value, char axis, bool length);

}  // namespace nibble::app
