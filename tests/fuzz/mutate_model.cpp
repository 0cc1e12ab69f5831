#include "mutate_model.hpp"

#include <google/protobuf/arena.h>
#include <google/protobuf/message.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>
#include <map>
#include <random>

#include "onnx/onnx.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t room);

namespace nibble::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// Names of ops and attributes that are read, from the page that lists them.
std::vector<std::string> known_words() {
  std::vector<std::string> words;
  std::string word;
  for (char c : onnx::reference_page()) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

/// The fields of a message that hold messages, or those that hold text.
template <class Wanted>
std::vector<const FieldDescriptor*> fields_of(const google::protobuf::Descriptor& type, Wanted&& wanted) {
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < type.field_count(); ++i)
    if (wanted(*type.field(i))) fields.push_back(type.field(i));
  return fields;
}

const std::vector<const FieldDescriptor*>& message_fields(const google::protobuf::Descriptor& type) {
  static std::map<const void*, std::vector<const FieldDescriptor*>> known;
  const auto [place, added] = known.try_emplace(&type);
  if (added)
    place->second =
        fields_of(type, [](const auto& field) { return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE; });
  return place->second;
}

int size_of(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field)
                              : static_cast<int>(reflection->HasField(message, field));
}

void list_messages(Message& message, std::vector<Message*>& messages) {
  messages.push_back(&message);
  const auto* reflection = message.GetReflection();
  for (const FieldDescriptor* field : message_fields(*message.GetDescriptor()))
    for (int i = 0, count = size_of(message, field); i < count; ++i)
      list_messages(field->is_repeated() ? *reflection->MutableRepeatedMessage(&message, field, i)
                                         : *reflection->MutableMessage(&message, field),
                    messages);
}

/// The message and all that it holds.
std::vector<Message*> messages_of(Message& message) {
  std::vector<Message*> messages;
  list_messages(message, messages);
  return messages;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  bool chance(int in) { return below(in) == 0; }
  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  template <class List>
  auto& one_of(List& list) {
    return list[random_() % std::size(list)];
  }

  void mutate(Message& model) {
    messages_ = messages_of(model);
    Message& message = *one_of(messages_);
    if (chance(4)) {
      // Like by like: a node by a node, a tensor by a tensor.
      const Message& other = *one_of(messages_);
      if (&other != &message && other.GetDescriptor() == message.GetDescriptor()) {
        google::protobuf::Arena arena;
        Message* const copy = other.New(&arena);
        copy->CopyFrom(other);
        message.CopyFrom(*copy);
        return;
      }
    }
    change_field(message);
  }

  bool cross(Message& into, Message& from) {
    const std::vector<Message*> targets = messages_of(into), sources = messages_of(from);
    for (int attempt = 0; attempt < 16; ++attempt) {
      Message& target = *one_of(targets);
      const Message& source = *one_of(sources);
      if (target.GetDescriptor() == source.GetDescriptor() && &target != &into) {
        target.CopyFrom(source);
        return true;
      }
      for (int i = 0; i < target.GetDescriptor()->field_count(); ++i) {
        const FieldDescriptor* field = target.GetDescriptor()->field(i);
        if (!field->is_repeated() || field->message_type() != source.GetDescriptor()) continue;
        target.GetReflection()->AddMessage(&target, field)->CopyFrom(source);
        return true;
      }
    }
    return false;
  }

 private:
  std::minstd_rand random_;
  std::vector<Message*> messages_;  ///< Of the model that changes.

  void change_field(Message& message) {
    const auto* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> present;
    reflection->ListFields(message, &present);
    const auto* type = message.GetDescriptor();
    if (type->field_count() == 0) return;
    const FieldDescriptor* field =
        present.empty() || chance(8) ? type->field(below(type->field_count())) : one_of(present);
    if (field->is_repeated())
      change_list(message, field);
    else if (chance(12))
      reflection->ClearField(&message, field);
    else
      change_one(message, field, -1);
  }

  void change_list(Message& message, const FieldDescriptor* field) {
    const auto* reflection = message.GetReflection();
    const int count = reflection->FieldSize(message, field);
    const bool messages = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (count == 0 || chance(8)) return append(message, field, count);
    const int index = below(count);
    switch (below(messages ? 3 : 8)) {
      case 0:
        reflection->SwapElements(&message, field, index, count - 1);
        return reflection->RemoveLast(&message, field);
      case 1: return reflection->SwapElements(&message, field, index, below(count));
      case 2: return append(message, field, count);
      default: return change_one(message, field, index);
    }
  }

  /// One more of the list: a copy of one that it has, or a changed value.
  void append(Message& message, const FieldDescriptor* field, int count) {
    const auto* reflection = message.GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        Message* added = reflection->AddMessage(&message, field);
        if (count > 0) added->CopyFrom(reflection->GetRepeatedMessage(message, field, below(count)));
        return change_field(*added);
      }
      case FieldDescriptor::CPPTYPE_STRING: reflection->AddString(&message, field, {}); break;
      case FieldDescriptor::CPPTYPE_INT32: reflection->AddInt32(&message, field, 0); break;
      case FieldDescriptor::CPPTYPE_INT64: reflection->AddInt64(&message, field, 0); break;
      case FieldDescriptor::CPPTYPE_UINT64: reflection->AddUInt64(&message, field, 0); break;
      case FieldDescriptor::CPPTYPE_FLOAT: reflection->AddFloat(&message, field, 0); break;
      case FieldDescriptor::CPPTYPE_DOUBLE: reflection->AddDouble(&message, field, 0); break;
      default: return;
    }
    change_one(message, field, count);
  }

  /// Changes the field, or its element `index` where that is not -1.
  void change_one(Message& message, const FieldDescriptor* field, int index) {
    const auto* reflection = message.GetReflection();
    const auto change = [&](auto get, auto get_repeated, auto set, auto set_repeated) {
      if (index < 0)
        (reflection->*set)(&message, field, changed((reflection->*get)(message, field), *field));
      else
        (reflection->*set_repeated)(&message, field, index,
                                    changed((reflection->*get_repeated)(message, field, index), *field));
    };
    using R = google::protobuf::Reflection;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return change(&R::GetString, &R::GetRepeatedString, &R::SetString, &R::SetRepeatedString);
      case FieldDescriptor::CPPTYPE_INT32:
        return change(&R::GetInt32, &R::GetRepeatedInt32, &R::SetInt32, &R::SetRepeatedInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return change(&R::GetInt64, &R::GetRepeatedInt64, &R::SetInt64, &R::SetRepeatedInt64);
      case FieldDescriptor::CPPTYPE_UINT64:
        return change(&R::GetUInt64, &R::GetRepeatedUInt64, &R::SetUInt64, &R::SetRepeatedUInt64);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return change(&R::GetFloat, &R::GetRepeatedFloat, &R::SetFloat, &R::SetRepeatedFloat);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return change(&R::GetDouble, &R::GetRepeatedDouble, &R::SetDouble, &R::SetRepeatedDouble);
      case FieldDescriptor::CPPTYPE_ENUM:
        if (index < 0) reflection->SetEnumValue(&message, field, below(field->enum_type()->value_count()));
        return;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return change_field(index < 0 ? *reflection->MutableMessage(&message, field)
                                      : *reflection->MutableRepeatedMessage(&message, field, index));
      default: return;
    }
  }

  int64_t integer(int64_t old) {
    constexpr int64_t edges[] = {0,
                                 1,
                                 -1,
                                 2,
                                 127,
                                 128,
                                 255,
                                 256,
                                 32767,
                                 65535,
                                 65536,
                                 2147483647,
                                 2147483648,
                                 4294967296,
                                 8589934592,
                                 -2147483648,
                                 int64_t{1} << 53,
                                 INT64_MAX,
                                 INT64_MIN};
    switch (below(4)) {
      case 0: return one_of(edges);
      case 1: return below(28);
      case 2: return static_cast<int64_t>(static_cast<uint64_t>(old) + static_cast<uint64_t>(below(5) - 2));
      default: return static_cast<int64_t>(0 - static_cast<uint64_t>(old) * static_cast<uint64_t>(below(2) * 3 - 1));
    }
  }
  double real(double old) {
    constexpr double edges[] = {0,
                                1,
                                -1,
                                0.5,
                                1.5,
                                255,
                                1e-45,
                                1.5e-9,
                                3.4e38,
                                2147483648.0,
                                9223372036854775808.0,
                                std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
    switch (below(3)) {
      case 0: return one_of(edges);
      case 1: return -old;
      default: return old * (chance(2) ? 2 : 0.375);
    }
  }
  template <class T>
  T changed(T old, const FieldDescriptor&) {
    if constexpr (std::is_floating_point_v<T>)
      return static_cast<T>(real(old));
    else
      return static_cast<T>(integer(static_cast<int64_t>(old)));
  }
  std::string changed(std::string text, const FieldDescriptor& field) {
    static const std::vector<std::string> known = known_words();
    if (field.type() == FieldDescriptor::TYPE_BYTES) return chance(2) ? element_changed(text) : bytes_changed(text);
    if (field.name() == "op_type" || chance(8)) return one_of(known);
    if (chance(2) && number_changed(text)) return text;
    if (!chance(4)) return word_of_model();
    return bytes_changed(text);
  }
  /// A text of one of the model's messages, or none.
  std::string word_of_model() {
    for (int attempt = 0; attempt < 8; ++attempt) {
      const Message& message = *one_of(messages_);
      const auto* reflection = message.GetReflection();
      const auto texts = fields_of(*message.GetDescriptor(), [&](const FieldDescriptor& field) {
        return field.type() == FieldDescriptor::TYPE_STRING && size_of(message, &field) > 0;
      });
      if (texts.empty()) continue;
      const FieldDescriptor* field = one_of(texts);
      return field->is_repeated() ? reflection->GetRepeatedString(message, field, below(size_of(message, field)))
                                  : reflection->GetString(message, field);
    }
    return {};
  }
  std::string bytes_changed(std::string text) {
    const size_t size = text.size();
    text.resize(size + 16);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size, text.size()));
    return text;
  }
  /// One element of a tensor's raw data.
  std::string element_changed(std::string data) {
    const auto put = [&](auto value) {
      const int count = static_cast<int>(data.size() / sizeof value);
      if (count > 0) std::memcpy(data.data() + static_cast<size_t>(below(count)) * sizeof value, &value, sizeof value);
    };
    switch (below(4)) {
      case 0: put(static_cast<float>(real(3))); break;
      case 1: put(static_cast<int32_t>(integer(3))); break;
      case 2: put(integer(3)); break;
      default: put(static_cast<int8_t>(integer(3))); break;
    }
    return data;
  }
  /// One of the numbers in a text: shapes and grids in metadata.
  bool number_changed(std::string& text) {
    constexpr const char* digits = "0123456789";
    if (text.empty()) return false;
    const size_t begin = text.find_first_of(digits, random_() % text.size());
    if (begin == text.npos) return false;
    const size_t end = std::min(text.find_first_not_of(digits, begin), text.size());
    text.replace(begin, end - begin, std::to_string(integer(below(256))));
    return true;
  }
};

size_t put(const ::onnx::ModelProto& model, uint8_t* out, size_t room) {
  const size_t size = model.ByteSizeLong();
  if (size > room || !model.SerializeToArray(out, static_cast<int>(size))) return 0;
  return size;
}

bool get(::onnx::ModelProto& model, const uint8_t* data, size_t size) {
  return model.ParseFromArray(data, static_cast<int>(size)) && model.has_graph();
}

}  // namespace

size_t mutate_model(uint8_t* data, size_t size, size_t room, unsigned seed) {
  Mutator mutator(seed);
  google::protobuf::Arena arena;
  auto& model = *google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(&arena);
  if (mutator.chance(16) || !get(model, data, size)) return LLVMFuzzerMutate(data, size, room);
  do mutator.mutate(model);
  while (mutator.chance(2));
  const size_t written = put(model, data, room);
  return written > 0 ? written : LLVMFuzzerMutate(data, size, room);
}

size_t cross_models(std::string_view first, std::string_view second, uint8_t* out, size_t room, unsigned seed) {
  // Two models are read for one to run: the dearer of the two changes, so the rarer.
  if (seed % 4 != 0) return 0;
  google::protobuf::Arena arena;
  auto& into = *google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(&arena);
  auto& from = *google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(&arena);
  const auto parsed = [](::onnx::ModelProto& model, std::string_view bytes) {
    return get(model, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  if (!parsed(into, first) || !parsed(from, second)) return 0;
  return Mutator(seed).cross(into, from) ? put(into, out, room) : 0;
}

}  // namespace nibble::fuzz
