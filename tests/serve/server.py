"""`nibble app serve` as a process, and HTTP as bytes on a socket, for the tests beside this file."""
import json
import pathlib
import re
import signal
import socket
import subprocess
import zipfile


class Bundle:
    """The samples of an application, and what it must answer of each."""

    def __init__(self, path):
        self.path = path
        with zipfile.ZipFile(path) as bundle:
            app = json.loads(bundle.read("app.json"))
            self.samples = [(bundle.read(sample["input"]), sample["golden"]["result"]) for sample in app["samples"]]


class Server:
    def __init__(self, nibble, bundle, *options):
        words = [nibble, "app", "serve", str(bundle), "--port", "0", *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if not found:
            raise SystemExit(f"the server does not say where it listens: {line!r}{self.process.stderr.read()!r}")
        self.port = int(found[1])

    def connect(self, timeout=30):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def memory(self, key="VmRSS"):
        """KiB."""
        return int(re.search(key + r":\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def lives(self):
        return self.process.poll() is None

    def end(self, how=signal.SIGTERM):
        """The exit code; `said` is what it wrote, `complaint` its errors."""
        self.process.send_signal(how)
        self.said, self.complaint = self.process.communicate(timeout=30)
        return self.process.returncode


def request(method="POST", target="/", body=b"", headers=(), length=None):
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
    if method == "POST" or body:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def reason(self):
        """What a refusal says, "" where it says nothing."""
        try:
            said = self.json()
        except ValueError:
            return ""
        return said.get("error", "") if isinstance(said, dict) else ""


class Reader:
    """Answers of one connection, one after the other; None where it is closed before one begins."""

    def __init__(self, connection):
        self.connection, self.bytes = connection, b""

    def more(self):
        try:
            came = self.connection.recv(65536)
        except ConnectionResetError:
            return False
        self.bytes += came
        return bool(came)

    def answer(self):
        while b"\r\n\r\n" not in self.bytes:
            if not self.more():
                return None
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self.bytes) < length:
            if not self.more():
                raise ConnectionError("an answer is cut off")
        body, self.bytes = self.bytes[:length], self.bytes[length:]
        return Answer(int(first.split()[1]), headers, body)


def ask(server, sent):
    with server.connect() as connection:
        connection.sendall(sent)
        return Reader(connection).answer()
