#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

using namespace nibble;

namespace {

std::string temporary(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("nibble.file." + std::to_string(::getpid()) + "." + name)).string();
}

}  // namespace

TEST(ReadFile, GivesTheBytesThatWereWritten) {
  const std::string file = temporary("bytes");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100'000}}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    write_file(file, bytes, "x");
    EXPECT_EQ(read_file(file, "x"), bytes);
  }
  std::filesystem::remove(file);
}

TEST(ReadFile, TakesAllThatAPipeGives) {
  const std::string pipe = temporary("pipe"), bytes(300'000, 'p');
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { write_file(pipe, bytes, "x"); });
  const std::string read = read_file(pipe, "x");
  writer.join();
  EXPECT_EQ(read, bytes);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  std::filesystem::remove(pipe);
}

TEST(ReadFile, TakesAFileThatStatesNoSize) {
  // The kernel's own files say 0 bytes.
  EXPECT_FALSE(read_file("/proc/self/status", "x").empty());
}
