#include <gtest/gtest.h>

#include "app/server/form.hpp"
#include "app/server/head.hpp"
#include "app/server/refused.hpp"

namespace nibble::app {
namespace {

/// The status with which it is refused, 0 where it is not.
template <class Function>
int status_of(const Function& function) {
  try {
    function();
  } catch (const Refused& refused) {
    return refused.status;
  }
  return 0;
}

int status_of_head(const std::string& text) {
  return status_of([&] {
    const size_t end = head_end(text);
    if (end != 0) parse_head(std::string_view(text).substr(0, end));
  });
}

TEST(ParseHead, ReadsWhatARequestSaysWhateverTheLettersOfItsNames) {
  const std::string text =
      "POST /?draw=1 HTTP/1.1\r\nHOST: x\r\ncontent-length:  12 \r\nContent-Type: Multipart/Form-Data; a=b; "
      "Boundary=\"x y\"\r\nConnection: Close\r\n\r\nbody";
  ASSERT_EQ(head_end(text), text.size() - 4);
  const Head head = parse_head(text.substr(0, text.size() - 4));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/?draw=1");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.body, 12U);
  EXPECT_EQ(head.type, "multipart/form-data");
  EXPECT_EQ(head.boundary, "x y");
  EXPECT_TRUE(head.last);
}

TEST(ParseHead, KeepsAConnectionOfHttp11AndOneOfHttp10ThatAsks) {
  EXPECT_FALSE(parse_head("GET / HTTP/1.1\r\nHost: x\r\n\r\n").last);
  EXPECT_TRUE(parse_head("GET / HTTP/1.0\r\n\r\n").last);
  EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").last);
}

TEST(HeadEnd, IsSeenOnlyWhenTheHeadIsWhole) {
  const std::string text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(head_end(std::string_view(text).substr(0, size)), 0U);
  EXPECT_EQ(head_end(text), text.size());
}

TEST(HeadEnd, RefusesWhatCanBeNoHeadBeforeItsEnd) {
  EXPECT_EQ(status_of_head("\x16\x03"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\n"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\rX"), 400);
  EXPECT_EQ(status_of_head("GET /" + std::string(most_target_bytes, 'a')), 414);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nX: " + std::string(most_head_bytes, 'a')), 431);
}

TEST(ParseHead, RefusesLengthsThatAreNone) {
  for (const char* length : {"", "-1", "+1", "1 2", "1,1", "0x1", "1\r\nContent-Length: 1"})
    EXPECT_EQ(status_of_head("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::string(length) + "\r\n\r\n"), 400)
        << length;
  EXPECT_EQ(parse_head("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n").body, SIZE_MAX);
}

TEST(CheckRoute, SaysWhichMethodsAndPathsThereAre) {
  const std::vector<Route> routes{{"/", "GET, POST"}, {"/health", "GET"}};
  const auto status = [&](std::string method, std::string path) {
    return status_of([&] { check_route({.method = std::move(method), .target = path, .path = path}, routes); });
  };
  EXPECT_EQ(status("POST", "/"), 0);
  EXPECT_EQ(status("POST", "/health"), 405);
  EXPECT_EQ(status("OST", "/"), 405);
  EXPECT_EQ(status("GET", "/healt"), 404);
}

TEST(FileOfForm, IsThatOfTheOnePartThatNamesAFile) {
  const std::string field = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nvalue\r\n";
  const std::string file = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n\r\n--no\r\n\r\n";
  EXPECT_EQ(file_of_form(field + file + "--b--\r\n", "b"), "\r\n--no\r\n");
  EXPECT_EQ(file_of_form(file + field + "--b--", "b"), "\r\n--no\r\n");
}

TEST(FileOfForm, RefusesEveryFormThatIsCutOff) {
  const std::string form = "--b\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nfile\r\n--b--";
  for (size_t size = 0; size < form.size(); ++size)
    EXPECT_EQ(status_of([&] { file_of_form(form.substr(0, size), "b"); }), 400) << size;
  EXPECT_EQ(status_of([&] { file_of_form(form, "c"); }), 400);
  EXPECT_EQ(status_of([&] { file_of_form(form, std::string(71, 'b')); }), 400);
}

}  // namespace
}  // namespace nibble::app
