#pragma once
#include "codegen/generate.hpp"
#include "equal/runtime/runtime.hpp"
#include "kernels/fields.h"
extern "C" {
#include "kernels/cortex_m/dsp.h"
#include "kernels/cortex_m/helium.h"
#include "kernels/packed/packed.h"
#include "kernels/unrolled/unrolled.h"
}

/// A program as generated code runs it: one thread, its steps' scratch in the arena, results over what they are made of.
namespace nibble::tests {

/// By the name that generated code calls it.
inline nibble_kernel function_named(const std::string& name) {
#define NIBBLE_NAMED(KIND, structure, FIELDS) {#structure "_reference", structure##_reference},
  static const std::map<std::string, nibble_kernel> all{NIBBLE_KINDS(NIBBLE_NAMED){"nibble_conv_dsp", nibble_conv_dsp},
                                                        {"nibble_depthwise_dsp", nibble_depthwise_dsp},
                                                        {"nibble_conv_unrolled", nibble_conv_unrolled},
                                                        {"nibble_depthwise_unrolled", nibble_depthwise_unrolled},
                                                        {"nibble_conv_portable", nibble_conv_portable},
                                                        {"nibble_depthwise_portable", nibble_depthwise_portable},
                                                        {"nibble_pool_portable", nibble_pool_portable},
                                                        {"nibble_reduce_portable", nibble_reduce_portable},
                                                        {"nibble_conv_mve", nibble_conv_mve},
                                                        {"nibble_depthwise_mve", nibble_depthwise_mve},
                                                        {"nibble_reduce_mve", nibble_reduce_mve},
                                                        {"nibble_reduce_packed", nibble_reduce_packed},
                                                        {"nibble_move_portable", nibble_move_portable}};
  return all.at(name);
}

/// As `nibble generate` lowers for a machine.
inline lower::Options planned_for(const machine::Machine& machine) {
  lower::Options options;
  options.floats = false;
  options.weights = lower::Weights::Folded;
  options.bytes = lower::Bytes::AsTheyAre;
  options.order = codegen::orders_of(machine);
  options.alignment = 8;
  return options;
}

class PlannedRun {
 public:
  PlannedRun(const program::Program& program, const machine::Machine& machine)
      : program_(program),
        kernels_(codegen::kernels_for(program, machine)),
        constants_(program.constants.size() / 8 + 16),
        arena_(static_cast<size_t>(codegen::footprint(program).arena) / 8 + 16, 0x5555555555555555) {
    if (!program.constants.empty()) std::memcpy(constants_.data(), program.constants.data(), program.constants.size());
  }

  /// Empty where every value that a step completes, and every output, is the meaning's; else which is not.
  std::string differs(const Meaning& meaning) {
    for (size_t i = 0; i < meaning.inputs.size(); ++i) put(program_.inputs[i].value, meaning.inputs[i]);
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      run(i);
      for (const program::Value& value : program_.steps[i].values)
        if (!equal(value, meaning.values.at(value.name))) return "step " + program_.steps[i].name + ": " + value.name;
    }
    for (size_t i = 0; i < meaning.outputs.size(); ++i)
      if (!equal(program_.outputs[i].value, meaning.outputs[i])) return "output " + std::to_string(i);
    return {};
  }

 private:
  std::byte* at(const program::Place& place) {
    if (place.where == program::Place::Where::Nowhere) return nullptr;
    const bool constant = place.where == program::Place::Where::Constants;
    return reinterpret_cast<std::byte*>(constant ? constants_.data() : arena_.data()) + place.offset;
  }

  void run(size_t index) {
    const program::Step& step = program_.steps[index];
    std::vector<int64_t> parameters((nibble_fields_of(step.kind)->size + 7) / 8);
    const nibble_pointers pointers{
        nullptr,
        [](void* self, int64_t number) -> const void* {
          return number < 0 ? nullptr : static_cast<PlannedRun*>(self)->at({program::Place::Where::Constants, number});
        },
        this};
    nibble_decode(step.kind, step.numbers.data(), &pointers, parameters.data());
    nibble_call call{};
    for (size_t i = 0; i < step.in.size(); ++i) call.in[i] = at(step.in[i]);
    call.out = at(step.out);
    if (step.scratch >= 0) call.scratch = at({program::Place::Where::Arena, step.scratch});
    call.end = nibble_items(step.kind, parameters.data());
    const nibble_kernel kernel = function_named(kernels_[index].function);
    if (step.rows == 0)
      kernel(parameters.data(), &call);
    else
      (step.kind == NIBBLE_KIND_CONV ? nibble_conv_packed : nibble_pool_packed)(parameters.data(), &call, kernel,
                                                                                step.rows, step.tiles);
  }

  template <class F>
  void each(const program::Value& value, F&& visit) {
    for (int64_t i = 0; i < element_count(value.extents); ++i) {
      int64_t rest = i, offset = 0;
      for (size_t axis = value.extents.size(); axis-- > 0; rest /= value.extents[axis])
        offset += rest % value.extents[axis] * value.strides[axis];
      visit(static_cast<size_t>(i), offset);
    }
  }

  static ElementType type_of(const program::Value& value) {
    constexpr ElementType types[] = {ElementType::Int8,  ElementType::UInt8, ElementType::Int16,  ElementType::UInt16,
                                     ElementType::Int32, ElementType::Int64, ElementType::Float64};
    return types[value.type - 1];
  }

  void put(const program::Value& value, const Tensor& tensor) {
    const Tensor narrow = tensor.cast(type_of(value));
    const size_t size = size_of(narrow.type());
    each(value, [&](size_t i, int64_t offset) {
      std::memcpy(at(value.place) + offset * static_cast<int64_t>(size), narrow.bytes().data() + i * size, size);
    });
  }

  bool equal(const program::Value& value, const Tensor& expected) {
    if (nibble_is_packed(value.type)) {
      Tensor integers(ElementType::Int64, value.extents);
      each(value, [&](size_t i, int64_t offset) {
        integers.as<int64_t>()[i] = nibble_load_packed(at(value.place), value.type, offset);
      });
      return integers == expected;
    }
    Tensor narrow(type_of(value), value.extents);
    const size_t size = size_of(narrow.type());
    each(value, [&](size_t i, int64_t offset) {
      std::memcpy(narrow.bytes().data() + i * size, at(value.place) + offset * static_cast<int64_t>(size), size);
    });
    return narrow.cast(expected.type()) == expected;
  }

  const program::Program& program_;
  const std::vector<codegen::Choice> kernels_;
  std::vector<uint64_t> constants_, arena_;
};

}  // namespace nibble::tests
