#include "app/server/serve.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <thread>

#include "app/server/connection.hpp"
#include "app/server/crew.hpp"
#include "app/server/form.hpp"
#include "app/server/refused.hpp"
#include "app/server/service.hpp"

// As Debian compiles the library: its classes are laid out by these. Its own code is not held to our warnings.
#define CPPHTTPLIB_OPENSSL_SUPPORT
#define CPPHTTPLIB_ZLIB_SUPPORT
#define CPPHTTPLIB_BROTLI_SUPPORT
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <httplib.h>
#pragma GCC diagnostic pop

namespace nibble::app {
namespace {

/// Of the connection that this thread sees.
thread_local Welcome welcome = Welcome::Close;

constexpr const char* no_memory = "app: request: no memory is left for it";

/// A request and its answer in memory, as the library's stream: what comes from the network is bounded before.
class Exchange : public httplib::Stream {
 public:
  explicit Exchange(std::string request) : request_(std::move(request)) {}
  std::string answer;

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    size = std::min(size, request_.size() - at_);
    std::memcpy(to, request_.data() + at_, size);
    at_ += size;
    return static_cast<ssize_t>(size);
  }
  ssize_t write(const char* bytes, size_t size) override {
    answer.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return 0; }

 private:
  std::string request_;
  size_t at_ = 0;
};

std::string whole_answer(const Refused& refused) {
  const std::string body = error_json(refused.what());
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{}{}\r\n{}",
      refused.status, reason_of(refused.status), body.size(),
      refused.allowed.empty() ? "" : "Allow: " + refused.allowed + "\r\n",
      refused.status == 503 ? "Retry-After: 1\r\n" : "", body);
}

void set(httplib::Response& answer, Service::Answer made) {
  answer.set_content(std::move(made.body), made.type);
}

/// What went wrong, in the answer.
void set_error(httplib::Response& answer, const std::exception_ptr& thrown) {
  answer.status = 500;
  std::string message = "app: request: a fault of Nibble's own";
  try {
    std::rethrow_exception(thrown);
  } catch (const Refused& refused) {
    answer.status = refused.status;
    message = refused.what();
  } catch (const UserError& error) {
    answer.status = 400;
    message = error.what();
  } catch (const std::bad_alloc&) {
    answer.status = 503;
    message = no_memory;
  } catch (const std::exception& error) {
    message += std::string(": ") + error.what();
  }
  if (answer.status == 503) answer.set_header("Retry-After", "1");
  set(answer, {"application/json", error_json(message)});
}

/// The library's queue, which is none.
class Queue : public httplib::TaskQueue {
 public:
  explicit Queue(int connections) : crew_(connections) {}
  void enqueue(std::function<void()> connection) override {
    crew_.take([connection = std::move(connection)](Welcome how) {
      welcome = how;
      connection();
    });
  }
  void shutdown() override { crew_.end(); }

 private:
  Crew crew_;
};

class Server : public httplib::Server {
 public:
  Server(const Application& application, const ServeOptions& options)
      : options_(options),
        bounds_{options.body, std::chrono::seconds(options.seconds)},
        service_(application, options),
        ending_(eventfd(0, EFD_CLOEXEC)) {
    new_task_queue = [this] { return new Queue(options_.connections); };
    // Not the library's own SO_REUSEPORT, with which a second server shares the port.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_tcp_nodelay(true);
    set_default_headers(
        {{"X-Content-Type-Options", "nosniff"},
         {"Cache-Control", "no-store"},
         {"Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src 'self' blob: data:"}});
    set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(bounds_.idle).count());
    set_keep_alive_max_count(1000000);
    set_exception_handler([](const httplib::Request&, httplib::Response& answer, const std::exception_ptr& thrown) {
      set_error(answer, thrown);
    });
    add_routes();
  }
  ~Server() override { close(ending_); }

  int bind() {
    errno = 0;
    const int port = options_.port == 0                           ? bind_to_any_port(options_.host)
                     : bind_to_port(options_.host, options_.port) ? options_.port
                                                                  : -1;
    // The library lets five connections wait to be accepted.
    if (port > 0 && ::listen(svr_sock_, 128) == 0) return port;
    const int fault = errno;
    fail("app", fmt::format("{}:{}", options_.host, options_.port),
         std::string("cannot be listened at: ") + (fault == 0 ? "no such address" : std::strerror(fault)),
         "an address of this machine, and a port that is free");
  }

  /// No more requests; those that wait for their client end.
  void end() {
    const uint64_t one = 1;
    ensure(::write(ending_, &one, sizeof one) == sizeof one, "a server can be told to end");
    stop();
  }

  uint64_t answered() { return service_.counted().requests(); }

 private:
  void add_routes() {
    using httplib::Response;
    Get("/", [](const auto&, Response& answer) { set(answer, Service::page()); });
    Get("/health", [this](const auto&, Response& answer) { set(answer, service_.health()); });
    Get("/metrics", [this](const auto&, Response& answer) { set(answer, service_.metrics(connections_)); });
    Get("/schema", [this](const auto&, Response& answer) { set(answer, service_.schema()); });
    Post("/", [this](const httplib::Request& request, Response& answer) {
      set(answer, service_.run(request.body, request.params));
    });
  }

  /// The library's part of it: the path's function, the query, the answer's form.
  std::string answer_to(Incoming& request) {
    service_.check_type(request.head);
    if (request.head.type == "multipart/form-data")
      request.body = std::string(file_of_form(request.body, request.head.boundary));
    Exchange exchange(
        fmt::format("{} {} HTTP/1.1\r\nContent-Length: 0\r\n\r\n", request.head.method, request.head.target));
    bool closed = false;
    process_request(exchange, request.head.last, closed,
                    [&](httplib::Request& passed) { passed.body = std::move(request.body); });
    return std::move(exchange.answer);
  }

  /// One request; whether another may follow.
  bool serve_one(Connection& connection) {
    bool last = true;
    std::string answer;
    try {
      Incoming request = connection.read(Service::routes());
      answer = answer_to(request);
      last = request.head.last;
    } catch (const Refused& refused) {
      answer = whole_answer(refused);
    } catch (const std::bad_alloc&) {
      answer = whole_answer({503, no_memory});
    }
    const bool taken = connection.write(answer);
    // "HTTP/1.1 200 ..."
    const int status = answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
    const auto now = Connection::Clock::now();
    service_.counted().count(status, std::chrono::duration<double>(now - connection.since()).count());
    return taken && !last;
  }

  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, ending_, bounds_);
    if (welcome == Welcome::Serve) {
      ++connections_;
      while (connection.wait() && serve_one(connection)) {
      }
      connection.hang_up();
      --connections_;
      return true;
    }
    connection.write(whole_answer({503, "app: request: " + std::to_string(options_.connections) +
                                            " connections are open (expected the same again in a second)"}));
    service_.counted().count(503, 0);
    if (welcome == Welcome::TurnAway) connection.hang_up();
    return true;
  }

  const ServeOptions options_;
  const Bounds bounds_;
  Service service_;
  std::atomic<uint64_t> connections_ = 0;
  int ending_;
};

/// SIGINT and SIGTERM wait for `sigwait` while it lives, in this thread and those that it starts.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~SignalsHeld() {
    const timespec none{};
    while (sigtimedwait(&signals_, nullptr, &none) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  void wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{}, before_{};
};

}  // namespace

uint64_t serve(const Application& application, const ServeOptions& options,
               const std::function<void(int port)>& listening) {
  const SignalsHeld signals;
  Server server(application, options);
  const int port = server.bind();
  std::atomic<bool> ended = false;
  std::thread listener([&, waiting = pthread_self()] {
    server.listen_after_bind();
    ended = true;
    pthread_kill(waiting, SIGTERM);
  });
  while (!server.is_running() && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::exception_ptr thrown;
  try {
    listening(port);
    signals.wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  const bool asked = !ended;
  server.end();
  listener.join();
  if (thrown) std::rethrow_exception(thrown);
  if (!asked) fail("app", options.host, "connections can no longer be accepted");
  return server.answered();
}

}  // namespace nibble::app
