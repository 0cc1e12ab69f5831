#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/file.hpp"
#include "base/grid.hpp"
#include "base/json.hpp"

using namespace nibble;

namespace {

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

std::string temporary(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("nibble." + std::to_string(::getpid()) + "." + name)).string();
}

}  // namespace

TEST(ShapeErrors, NameTheShape) {
  EXPECT_EQ(message_of([] { element_count({any}); }), "base: shape [N]: extent -1 (expected at least 0)");
  EXPECT_EQ(message_of([] {
              element_count({1 << 20, 1 << 20});
            }),
            "base: shape [1048576, 1048576]: too many elements (expected at most 8589934592)");
  EXPECT_EQ(message_of([] {
              element_count({0, INT64_MAX, 2});
            }),
            "base: shape [0, 9223372036854775807, 2]: too many elements (expected at most 8589934592)");
  EXPECT_EQ(message_of([] { broadcast({2}, {3}); }),
            "base: shapes [2] and [3]: do not broadcast (expected equal extents, or 1, from the right)");
  EXPECT_EQ(message_of([] { normalise_axis(2, 2); }), "base: axis: 2 (expected -2 to 1)");
}

TEST(TensorErrors, NameTypeAndReshape) {
  EXPECT_EQ(message_of([] { element_type("int4"); }),
            "base: element type: 'int4' (expected float32, float64, int8 ... int64 or bool)");
  EXPECT_EQ(message_of([] { Tensor().reshaped({2}); }), "base: reshape: [0] (expected as many elements as [2])");
}

TEST(GridErrors, NameThePlace) {
  const auto checked = [](const Grid& grid) { return message_of([&] { check_grid(grid, "quant", "w"); }); };
  EXPECT_EQ(checked({{1}, -1, 0, 5, 5}), "quant: w: levels 5 to 5 (expected at least two levels)");
  EXPECT_EQ(checked({{1}, -1, 0, 0, INT64_MAX}),
            "quant: w: a level or zero point of 9223372036854775807 (expected at most 2^53, of either sign)");
  EXPECT_EQ(checked({{1, 2}, -1, 0, 0, 5}), "quant: w: 2 scales (expected one, or one per index of an axis)");
  EXPECT_EQ(checked({{0.1}, -1, 0, 0, 5}), "quant: w: scale 0.100000 (expected a positive finite float32 number)");
  EXPECT_EQ(message_of([] { rounding_named("up"); }), "base: rounding: 'up' (expected floor, half_up or half_even)");
}

TEST(FileErrors, NameTheCause) {
  EXPECT_EQ(message_of([] { read_file("/none/a", "x"); }), "x: /none/a: cannot be opened: No such file or directory");
  EXPECT_EQ(message_of([] { read_file("/", "x"); }), "x: /: a folder (expected a file)");
  EXPECT_EQ(message_of([] { write_file("/none/a", "", "x"); }),
            "x: /none/a: cannot be written: No such file or directory");
}

TEST(FileErrors, NameADeviceAndAFileThatIsTooLarge) {
  EXPECT_EQ(message_of([] { read_file("/dev/zero", "x"); }), "x: /dev/zero: a device (expected a file or a pipe)");
  EXPECT_EQ(message_of([] { write_file("/dev/full", "a", "x"); }),
            "x: /dev/full: cannot be written: No space left on device");
  const std::string file = temporary("large");
  write_file(file, "abcd", "x");
  EXPECT_EQ(message_of([&] { read_file(file, "x", 3); }), "x: " + file + ": 4 bytes (expected at most 3)");
  EXPECT_EQ(read_file(file, "x", 4), "abcd");
  std::filesystem::remove(file);
}

TEST(FileErrors, NameAPipeThatGivesTooMuch) {
  const std::string pipe = temporary("wide");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { write_file(pipe, "abcd", "x"); });
  EXPECT_EQ(message_of([&] { read_file(pipe, "x", 3); }), "x: " + pipe + ": more than 3 bytes (expected at most 3)");
  writer.join();
  std::filesystem::remove(pipe);
}

TEST(FileErrors, AFullDiskLeavesTheOldFileWholeAndNothingBeside) {
  const std::string file = temporary("full");
  write_file(file, "old", "x");
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { write_file(file, std::string(5000, 'a'), "x"); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(message, "x: " + file + ": cannot be written: File too large");
  EXPECT_EQ(read_file(file, "x"), "old");
  EXPECT_FALSE(std::filesystem::exists(file + ".partial." + std::to_string(::getpid())));
  std::filesystem::remove(file);
}

TEST(NewFile, KeepsALinkAndPermissions) {
  const std::string file = temporary("linked"), link = temporary("link"), loose = temporary("loose");
  write_file(file, "old", "x");
  std::filesystem::permissions(file, std::filesystem::perms(0750));
  std::filesystem::create_symlink(std::filesystem::path(file).filename(), link);
  std::filesystem::create_symlink(std::filesystem::path(loose).filename(), link + "2");
  write_file(link, "new", "x");
  write_file(link + "2", "new", "x");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read_file(file, "x"), "new");
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0750));
  EXPECT_EQ(read_file(link + "2", "x"), "new");
  for (const std::string& each : {file, link, loose, link + "2"}) std::filesystem::remove(each);
}

TEST(NewFile, IsNotThereUntilItIsPut) {
  const std::string file = temporary("later");
  write_file(file, "old", "x");
  { const NewFile dropped(file, "dropped", "x"); }
  EXPECT_EQ(read_file(file, "x"), "old");
  NewFile later(file, "new", "x");
  EXPECT_EQ(read_file(file, "x"), "old");
  later.put();
  EXPECT_EQ(read_file(file, "x"), "new");
  EXPECT_FALSE(std::filesystem::exists(file + ".partial." + std::to_string(::getpid())));
  std::filesystem::remove(file);
}

TEST(WriteFile, GoesOnWhereTheProcessIsInAFileThatItHasOpen) {
  const std::string file = temporary("open"), link = temporary("open_link");
  write_file(file, "", "x");
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(descriptor, 0);
  std::filesystem::create_symlink("/proc/self/fd/" + std::to_string(descriptor), link);
  ASSERT_EQ(::write(descriptor, "first ", 6), 6);
  write_file("/proc/self/fd/" + std::to_string(descriptor), "second ", "x");
  write_file(link, "third ", "x");
  ASSERT_EQ(::write(descriptor, "last", 4), 4);
  ::close(descriptor);
  EXPECT_EQ(read_file(file, "x"), "first second third last");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(message_of([] { write_file("/tmp", "a", "x"); }), "x: /tmp: cannot be written: Is a directory");
  for (const std::string& each : {file, link}) std::filesystem::remove(each);
}

TEST(JsonErrors, NameLineAndKey) {
  const std::string file = temporary("json");
  write_file(file, "{\n  x\n}", "x");
  EXPECT_TRUE(message_of([&] { read_json(file, "x"); }).starts_with("x: " + file + ":2: not JSON: "));
  std::filesystem::remove(file);
  EXPECT_EQ(message_of([] {
              check_keys(Json::parse(R"({"sed": 1})"), {"seed", "name"}, "x", "p");
            }),
            "x: p: no key 'sed' (did you mean 'seed'?) (expected seed, name)");
  EXPECT_EQ(message_of([] { check_keys(Json(1), {}, "x", "p"); }), "x: p: number (expected a JSON object)");
}

TEST(JsonErrors, NumbersBeyondADoubleAndDeepNestingAreRefused) {
  const auto message = [](const std::string& text) { return message_of([&] { parse_json(text, "x", "p"); }); };
  EXPECT_EQ(
      message("[2e999]"),
      "x: p: not JSON: [json.exception.out_of_range.406] number overflow parsing '2e999' (expected numbers that a "
      "double holds)");
  EXPECT_EQ(message(std::string(1000000, '[')), "x: p: JSON nested deeper than 64 (expected at most as deep)");
  EXPECT_EQ(message(R"({"a": [{"b": 1, "c": 2, "b": 3}]})"),
            "x: p: key \"b\" twice in one object (expected each once)");
  EXPECT_EQ(message(R"({"a": {"a": 1}, "b": {"a": 2}})"), "");
  EXPECT_EQ(parse_json(std::string(60, '[') + std::string(60, ']'), "x", "p").size(), 1);
}
