#include "app/server/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "app/server/refused.hpp"

namespace nibble::app {
namespace {

using Clock = Connection::Clock;

int milliseconds_to(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT32_MAX));
}

/// Whether the socket is ready before the time is up, or, where `ending` is a file, before the server ends.
bool ready(int socket, short what, int ending, Clock::time_point until) {
  for (;;) {
    std::array<pollfd, 2> files{{{socket, what, 0}, {ending, POLLIN, 0}}};
    const int left = milliseconds_to(until);
    const int found = poll(files.data(), files.size(), left);
    if (found > 0) return files[1].revents == 0;
    if ((found == 0 && left == 0) || (found < 0 && errno != EINTR)) return false;
  }
}

}  // namespace

Connection::Connection(int socket, int ending, const Bounds& bounds)
    : socket_(socket), ending_(ending), bounds_(bounds) {}

Connection::~Connection() {
  close(socket_);
}

Connection::Came Connection::receive(Clock::time_point until) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      bytes_.append(buffer.data(), static_cast<size_t>(count));
      return Came::Bytes;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return Came::End;
    if (!ready(socket_, POLLIN, ending_, until)) return Came::Nothing;
  }
}

bool Connection::wait() {
  const bool came = !bytes_.empty() || receive(Clock::now() + bounds_.idle) == Came::Bytes;
  since_ = Clock::now();
  until_ = since_ + bounds_.request;
  return came;
}

void Connection::receive_or_refuse(const std::string& what) {
  const Came came = receive(until_);
  if (came == Came::Nothing && Clock::now() < until_) refuse(503, "the server ends");
  if (came == Came::Nothing)
    refuse(408, what + " when the time was up",
           "a whole request in " + std::to_string(bounds_.request.count()) + " ms");
  if (came == Came::End) refuse(400, what + " when the connection ended", "a whole request");
}

Incoming Connection::read(const std::vector<Route>& routes) {
  size_t end = 0;
  while ((end = head_end(bytes_)) == 0) receive_or_refuse(std::to_string(bytes_.size()) + " bytes of a header");
  Incoming request;
  request.head = parse_head(std::string_view(bytes_).substr(0, end));
  bytes_.erase(0, end);
  const Head& head = request.head;
  check_route(head, routes);
  if (head.body > bounds_.body)
    refuse(413, "a body of " + std::to_string(head.body) + " bytes", "at most " + std::to_string(bounds_.body));
  if (head.expects && bytes_.empty()) write("HTTP/1.1 100 Continue\r\n\r\n");
  while (bytes_.size() < head.body)
    receive_or_refuse(std::to_string(bytes_.size()) + " of " + std::to_string(head.body) + " bytes of a body");
  request.body.swap(bytes_);
  bytes_ = request.body.substr(head.body);
  request.body.resize(head.body);
  return request;
}

bool Connection::write(std::string_view bytes) {
  const Clock::time_point until = Clock::now() + bounds_.request;
  while (!bytes.empty()) {
    const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0)
      bytes.remove_prefix(static_cast<size_t>(count));
    else if (count < 0 && errno != EAGAIN && errno != EINTR)
      return false;
    else if (!ready(socket_, POLLOUT, -1, until))
      return false;
  }
  return true;
}

void Connection::hang_up() {
  shutdown(socket_, SHUT_WR);
  const Clock::time_point until = Clock::now() + std::chrono::seconds(1);
  for (size_t thrown_away = 0; thrown_away <= 4 * bounds_.body; thrown_away += bytes_.size()) {
    bytes_.clear();
    if (receive(until) != Came::Bytes) break;
  }
  bytes_.clear();
}

}  // namespace nibble::app
