#!/usr/bin/env python3
"""What `nibble app serve` answers, and what it bounds: answers.py NIBBLE BUNDLE."""
import signal
import socket
import subprocess
import sys
import time
import unittest

from server import Bundle, Reader, Server, ask, request

NIBBLE, BUNDLE = sys.argv[1:3]
SAMPLES = Bundle(BUNDLE).samples
PICTURE, GOLDEN = SAMPLES[0]
PNG = b"\x89PNG\r\n\x1a\n"


class Served(unittest.TestCase):
    options = ("--threads", "2")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(NIBBLE, BUNDLE, *cls.options)

    @classmethod
    def tearDownClass(cls):
        if cls.server.lives():
            assert cls.server.end() == 0

    def ask(self, *arguments, **named):
        return ask(self.server, request(*arguments, **named))


class Answers(Served):
    def test_a_picture_has_the_answer_that_the_command_line_gives(self):
        for picture, golden in SAMPLES:
            self.assertEqual(self.ask(body=picture).json(), golden)

    def test_a_form_with_one_file_has_the_same_answer(self):
        field = b'--q\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        file = b'--q\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + PICTURE + b"\r\n--q--\r\n"
        for boundary in ("q", '"q"'):
            answer = self.ask(body=field + file, headers=["content-type: Multipart/Form-Data; charset=x; boundary=" + boundary])
            self.assertEqual(answer.json(), GOLDEN)

    def test_a_box_is_looked_at_and_an_answer_drawn(self):
        boxed = self.ask(target="/?box=4,4,20,20", body=PICTURE)
        self.assertEqual(boxed.status, 200)
        self.assertNotEqual(boxed.json(), GOLDEN)
        drawn = self.ask(target="/?draw=1&box=0%2C0%2C20%2C20", body=PICTURE)
        self.assertEqual((drawn.status, drawn.headers["content-type"]), (200, "image/png"))
        self.assertTrue(drawn.body.startswith(PNG))

    def test_requests_of_one_connection_are_answered_in_order(self):
        sent = b"".join(request(body=picture) for picture, _ in SAMPLES) + request("GET", "/health", headers=["Connection: close"])
        with self.server.connect() as connection:
            connection.sendall(sent)
            reader = Reader(connection)
            for _, golden in SAMPLES:
                self.assertEqual(reader.answer().json(), golden)
            self.assertEqual(reader.answer().json(), {"status": "ok", "application": "shapes"})
            self.assertIsNone(reader.answer())

    def test_an_old_client_is_answered_and_let_go(self):
        with self.server.connect() as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            reader = Reader(connection)
            self.assertEqual(reader.answer().status, 200)
            self.assertIsNone(reader.answer())

    def test_a_client_that_asks_first_is_told_to_go_on(self):
        whole = request(body=PICTURE, headers=["Expect: 100-continue"])
        with self.server.connect() as connection:
            connection.sendall(whole[:-len(PICTURE)])
            reader = Reader(connection)
            self.assertEqual(reader.answer().status, 100)
            connection.sendall(PICTURE)
            self.assertEqual(reader.answer().json(), GOLDEN)
            connection.sendall(request(length=1 << 30, headers=["Expect: 100-continue"]))
            self.assertEqual(reader.answer().status, 413)

    def test_a_head_has_no_body(self):
        with self.server.connect() as connection:
            connection.sendall(request("HEAD", "/", headers=["Connection: close"]))
            head, body = b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n\r\n")
            self.assertIn(b"HTTP/1.1 200", head)
            self.assertEqual(body, b"")

    def test_the_schema_says_what_it_takes_and_gives(self):
        schema = self.ask("GET", "/schema").json()
        self.assertEqual(schema["task"], "classification")
        self.assertIn("image/*", schema["request"]["types"])
        self.assertEqual(schema["request"]["most_bytes"], 16 << 20)
        self.assertEqual(set(schema["result"]["properties"]), set(GOLDEN))

    def test_metrics_count_by_status(self):
        count = lambda text, status: sum(int(line.split()[1]) for line in text.splitlines()
                                         if line.startswith(f'nibble_requests_total{{status="{status}"}}'))
        before = self.ask("GET", "/metrics").body.decode()
        self.ask("GET", "/nothing")
        self.ask(body=PICTURE)
        after = self.ask("GET", "/metrics").body.decode()
        self.assertEqual(count(after, 404), count(before, 404) + 1)
        self.assertEqual(count(after, 200), count(before, 200) + 2)
        for name in ("request_seconds_bucket", "requests_waiting 0", "connections 1", 'stage_seconds_total{stage="network"}'):
            self.assertIn("nibble_" + name, after)

    def test_a_second_server_does_not_share_the_port(self):
        done = subprocess.run([NIBBLE, "app", "serve", BUNDLE, "--port", str(self.server.port)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot be listened at: Address already in use", done.stderr)


class Bounds(Served):
    options = ("--threads", "1", "--queue", "0", "--connections", "2", "--timeout", "1")

    def test_a_third_connection_is_told_to_come_again_and_the_next_is_served(self):
        with self.server.connect(), self.server.connect():
            time.sleep(0.2)
            answer = self.ask(body=PICTURE)
            self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
            self.assertIn("2 connections are open", answer.reason())
            with self.server.connect() as third:
                third.sendall(request("GET", "/health"))
                self.assertEqual(Reader(third).answer().status, 503)
        time.sleep(0.2)
        self.assertEqual(self.ask(body=PICTURE).json(), GOLDEN)

    def test_a_reader_that_takes_nothing_is_let_go(self):
        with self.server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sent = request("GET", "/schema") * 2000
            with self.assertRaises(OSError):
                connection.settimeout(3)
                while True:
                    connection.sendall(sent)


class Ends(unittest.TestCase):
    def test_either_signal_ends_it_with_0_and_the_answers_that_were_begun(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            server = Server(NIBBLE, BUNDLE)
            with server.connect() as idle, server.connect() as half:
                half.sendall(request(length=1000))
                self.assertEqual(ask(server, request(body=PICTURE)).json(), GOLDEN)
                start = time.monotonic()
                self.assertEqual(server.end(how), 0)
                self.assertLess(time.monotonic() - start, 5)
                self.assertEqual(server.said, "2 requests answered\n")
                self.assertEqual(Reader(half).answer().reason(), "app: request: the server ends")
                self.assertIsNone(Reader(idle).answer())

    def test_what_cannot_be_served_is_said_in_a_line(self):
        for words, said in [(["/nowhere.nibapp"], "/nowhere.nibapp"),
                            ([BUNDLE, "--host", "192.0.2.1"], "app: 192.0.2.1:0: cannot be listened at"),
                            ([BUNDLE, "--host", "no such host"], "app: no such host:0: cannot be listened at"),
                            ([BUNDLE, "--limit", "0"], "--limit"),
                            ([BUNDLE, "--port", "65536"], "--port")]:
            words = words if "--port" in words else [*words, "--port", "0"]
            done = subprocess.run([NIBBLE, "app", "serve", *words], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
