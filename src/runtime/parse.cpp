#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/fields.h"
#include "program/program_generated.h"
#include "runtime/loaded.h"

// Compiled without exceptions, and without what would need the C++ library.
namespace {

namespace file = nibble::file;

/// One block for all that is made while loading: first its size is counted, then it is handed out.
class Pool {
 public:
  template <class T>
  T* take(size_t count) {
    used_ = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    T* result = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + used_);
    used_ += count * sizeof(T);
    return result;
  }
  size_t used() const { return used_; }
  void start(void* base) {
    base_ = static_cast<char*>(base);
    used_ = 0;
  }
  bool counting() const { return base_ == nullptr; }

 private:
  char* base_ = nullptr;
  size_t used_ = 0;
};

template <class Vector>
size_t size_of(const Vector* vector) {
  return vector == nullptr ? 0 : vector->size();
}

/// The verifier does not ask whether eight bytes stand on eight.
template <class Vector>
bool is_aligned(const Vector* vector) {
  return vector == nullptr || vector->size() == 0 || reinterpret_cast<uintptr_t>(vector->Data()) % 8 == 0;
}

const char* text(const flatbuffers::String* string) {
  return string == nullptr ? "" : string->c_str();
}

void complain(char* message, size_t size, const char* what) {
  if (message != nullptr && size > 0) snprintf(message, size, "%s", what);
}

bool read_value(const file::Value* from, nibble_value* to) {
  if (from == nullptr || size_of(from->extents()) != size_of(from->strides())) return false;
  if (!is_aligned(from->extents()) || !is_aligned(from->strides())) return false;
  if (to == nullptr) return true;
  to->name = text(from->name());
  to->type = from->type();
  to->rank = static_cast<int>(size_of(from->extents()));
  to->extents = from->extents() == nullptr ? nullptr : from->extents()->data();
  to->strides = from->strides() == nullptr ? nullptr : from->strides()->data();
  to->constant = from->constant() ? 1 : 0;
  to->offset = from->offset();
  return true;
}

bool read_ports(Pool& pool, const flatbuffers::Vector<flatbuffers::Offset<file::Port>>* from, nibble_loaded_port*& to,
                size_t& count) {
  count = size_of(from);
  to = pool.take<nibble_loaded_port>(count);
  for (size_t i = 0; i < count; ++i) {
    const file::Port* port = from->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (!read_value(port->value(), pool.counting() ? nullptr : &to[i].value) || !is_aligned(port->scale()))
      return false;
    if (pool.counting()) continue;
    to[i].scale = port->scale() == nullptr ? nullptr : port->scale()->data();
    to[i].scales = size_of(port->scale());
    to[i].axis = port->axis();
    to[i].rounding = port->rounding();
    to[i].zero_point = port->zero_point();
    to[i].low = port->low();
    to[i].high = port->high();
  }
  return true;
}

struct Addresses {
  const uint8_t* constants;
  int64_t bytes;
  bool beyond;
};

const void* address(void* context, int64_t number) {
  auto* of = static_cast<Addresses*>(context);
  if (number == -1) return nullptr;
  if (number < 0 || number >= of->bytes || number % 8 != 0) {
    of->beyond = true;
    return nullptr;
  }
  return of->constants + number;
}

const char* read_step(Pool& pool, const nibble_program* program, const file::Step* from, nibble_loaded_step* to) {
  const nibble_kind_fields* fields = nibble_fields_of(from->kind());
  if (fields == nullptr) return "a step of a kind that this version does not know";
  if (size_of(from->numbers()) != static_cast<size_t>(fields->values))
    return "a step with another number of parameters";
  if (size_of(from->in()) > NIBBLE_MAX_OPERANDS) return "a step with too many operands";
  if (!is_aligned(from->numbers()) || !is_aligned(from->in())) return "numbers that stand askew";
  auto* parameters = pool.take<int64_t>((fields->size + 7) / 8);
  auto* values = pool.take<nibble_value>(size_of(from->values()));
  for (size_t i = 0; i < size_of(from->values()); ++i)
    if (!read_value(from->values()->Get(static_cast<flatbuffers::uoffset_t>(i)),
                    pool.counting() ? nullptr : &values[i]))
      return "a value whose strides are not its extents'";
  if (pool.counting()) return nullptr;
  Addresses addresses{program->constants, program->constant_bytes, false};
  const nibble_pointers pointers{nullptr, address, &addresses};
  nibble_decode(from->kind(), from->numbers()->data(), &pointers, parameters);
  if (addresses.beyond) return "a constant beyond the constants";
  to->kind = from->kind();
  to->name = text(from->name());
  to->op = text(from->op());
  to->requantisation = text(from->requantisation());
  to->parameters = parameters;
  to->operands = static_cast<int>(size_of(from->in()));
  for (int i = 0; i < NIBBLE_MAX_OPERANDS; ++i)
    to->in[i] = i < to->operands ? from->in()->Get(static_cast<flatbuffers::uoffset_t>(i)) : -1;
  to->out = from->out();
  to->values = values;
  to->value_count = size_of(from->values());
  to->operations = from->operations();
  to->rows = from->rows();
  return nullptr;
}

/// The file's version of choices, and its index of nobody.
constexpr int choices_version = 1;
constexpr uint8_t nobody = 255;

const char* read_choices(const Pool& pool, nibble_program* program, const file::Choices* from) {
  if (from == nullptr) return nullptr;
  if (from->version() != choices_version) return "choices of another version (expected 1)";
  if (size_of(from->of()) != program->step_count) return "choices of other steps";
  for (size_t i = 0; i < program->step_count; ++i) {
    const uint8_t index = from->of()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (index != nobody && index >= size_of(from->runners())) return "a choice of nobody";
    if (pool.counting() || index == nobody) continue;
    program->steps[i].chosen = text(from->runners()->Get(index)->name());
    program->steps[i].chosen_backend = from->runners()->Get(index)->backend() ? 1 : 0;
  }
  return nullptr;
}

const char* fill(Pool& pool, nibble_program* program, const file::Program* from) {
  if (!read_ports(pool, from->inputs(), program->inputs, program->input_count) ||
      !read_ports(pool, from->outputs(), program->outputs, program->output_count))
    return "an input or output without a value";
  program->step_count = size_of(from->steps());
  program->steps = pool.take<nibble_loaded_step>(program->step_count);
  for (size_t i = 0; i < program->step_count; ++i) {
    const char* wrong = read_step(pool, program, from->steps()->Get(static_cast<flatbuffers::uoffset_t>(i)),
                                  pool.counting() ? nullptr : &program->steps[i]);
    if (wrong != nullptr) return wrong;
  }
  if (const char* wrong = read_choices(pool, program, from->choices())) return wrong;
  program->metadata_count = size_of(from->metadata());
  program->metadata = pool.take<const char*>(2 * program->metadata_count);
  for (size_t i = 0; i < program->metadata_count && !pool.counting(); ++i) {
    const file::Entry* entry = from->metadata()->Get(static_cast<flatbuffers::uoffset_t>(i));
    program->metadata[2 * i] = text(entry->key());
    program->metadata[2 * i + 1] = text(entry->value());
  }
  return nullptr;
}

}  // namespace

nibble_status nibble_parse(nibble_program* program, char* message, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(program->file);
  const auto refuse = [&](const char* what) {
    complain(message, size, what);
    return NIBBLE_BAD_PROGRAM;
  };
  if (program->file_bytes < 16 || !file::ProgramBufferHasIdentifier(bytes))
    return refuse("no program (expected a .nib file)");
  flatbuffers::Verifier verifier(bytes, program->file_bytes, 64, 10'000'000);
  if (!file::VerifyProgramBuffer(verifier)) return refuse("a damaged program");
  const file::Program* from = file::GetProgram(bytes);
  if (from->version() != 1) return refuse("a program of another version (expected 1)");
  program->name = text(from->name());
  program->arena = from->arena();
  program->scratch = from->scratch();
  program->constants = from->constants() == nullptr ? nullptr : from->constants()->data();
  program->constant_bytes = static_cast<int64_t>(size_of(from->constants()));
  if (reinterpret_cast<uintptr_t>(program->constants) % 32 != 0) return refuse("constants that are not aligned");
  Pool pool;
  const char* wrong = fill(pool, program, from);
  if (wrong != nullptr) return refuse(wrong);
  program->pool = calloc(pool.used() + 64, 1);
  if (program->pool == nullptr) return NIBBLE_NO_MEMORY;
  pool.start(program->pool);
  wrong = fill(pool, program, from);
  return wrong == nullptr ? NIBBLE_OK : refuse(wrong);
}
