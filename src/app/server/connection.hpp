#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "app/server/head.hpp"

namespace nibble::app {

/// What one client may ask of the server's time and memory.
struct Bounds {
  size_t body = size_t{16} << 20;        ///< bytes
  std::chrono::milliseconds request{};   ///< from a request's first byte to its last, and for its answer to be taken
  std::chrono::milliseconds idle{5000};  ///< between two requests of a connection
};

struct Incoming {
  Head head;
  std::string body;
};

/// A client's socket, which it closes. No read or write waits longer than the bounds say, however slowly bytes come.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// `ending`: a file that can be read once the server ends.
  Connection(int socket, int ending, const Bounds& bounds);
  ~Connection();
  Connection(const Connection&) = delete;

  /// Waits for the first byte of a request; false where none comes.
  bool wait();
  /// When the first byte of this request was seen.
  Clock::time_point since() const { return since_; }
  /// The request. Throws Refused, of 408 where it comes too slowly, and with `routes` those of check_route.
  Incoming read(const std::vector<Route>& routes);
  /// False where the client does not take it in time.
  bool write(std::string_view bytes);
  /// Sends no more, and lets the client read what was sent: what still comes is thrown away, for a moment.
  void hang_up();

 private:
  enum class Came : uint8_t { Bytes, Nothing, End };
  /// More bytes into `bytes_`.
  Came receive(Clock::time_point until);
  /// The same of a request that has begun; throws Refused where none come.
  void receive_or_refuse(const std::string& what);

  int socket_, ending_;
  Bounds bounds_;
  Clock::time_point since_{}, until_{};
  std::string bytes_;
};

}  // namespace nibble::app
