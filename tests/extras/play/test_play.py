"""What is behind the page of charnn play: texts, records of a run, and what is refused."""
import json
import os
import random
import re
import socket
import time

from tests.extras.play.support import PlayCase

JSON = {"Content_Type": "application/json"}


class Play(PlayCase):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "60", "--keep-every", "30")

    def test_a_text_is_what_sample_writes(self):
        self.play(self.path("r"))
        lines = self.write(prompt="The cat", length=80, temperature=0.5, seed=9, echo=True, stream=True, expected=5)
        text = "".join(line.get("delta", "") for line in lines)
        self.assertEqual(text, self.out("sample", self.path("r"), "--prompt", "The cat", "--length", "80", "--temperature", "0.5",
                                        "--seed", "9").decode())
        symbols = [symbol for line in lines for symbol in line.get("symbols", [])]
        self.assertEqual("".join(symbol[0] for symbol in symbols), text)
        self.assertEqual(lines[-1]["end"], "length")
        scored = self.out("score", self.path("r"), self.write("t.txt", text), "--chars", "--json", "--precision", "fp32").splitlines()
        for line, symbol in zip(scored, symbols):
            self.assertAlmostEqual(json.loads(line)["bits"], symbol[1], delta=2e-3)
        for _, _, expected in symbols:
            self.assertEqual(len(expected), 5)
            self.assertEqual(expected, sorted(expected, key=lambda one: -one[1]))
            self.assertLessEqual(sum(one[1] for one in expected), 1.001)
        self.stop()

    def test_all_that_may_come_adds_up(self):
        self.play(self.path("r"))
        lines = self.write(prompt="The", length=3, expected=20, top_k=3, stream=True)
        symbols = [symbol for line in lines for symbol in line.get("symbols", [])]
        self.assertEqual(len(symbols), 3)
        for _, _, expected in symbols:
            self.assertAlmostEqual(sum(one[2] for one in expected), 1, delta=1e-3)
            self.assertEqual(sum(one[2] > 0 for one in expected), 3, "top_k")

    def test_checkpoints_and_runs(self):
        self.train("runs/a", "--max-steps", "20")
        self.train("runs/b", "--max-steps", "20", "--seed", "2")
        self.play(self.path("runs"))
        runs = json.loads(self.get("/api/runs")[1])["runs"]
        self.assertEqual({run["name"] for run in runs}, {"a", "b"})
        texts = [self.write(run=run, seed=1, length=50)[0]["text"] for run in "ab"]
        self.assertNotEqual(*texts)
        for run in ("../r", "r", "", "a/../b", "/etc"):
            self.refused_request(404, "POST", "/api/write", json.dumps({"run": run, "checkpoint": "best"}), "no run", **JSON)
        self.stop()
        self.play(self.path("r"))
        (run,) = json.loads(self.get("/api/runs")[1])["runs"]
        self.assertEqual(run["checkpoints"], ["best", "last", "30", "60"])
        self.assertNotEqual(self.write(checkpoint="30", seed=1, length=50), self.write(checkpoint="60", seed=1, length=50))
        self.refused_request(404, "POST", "/api/write", json.dumps({"run": "r", "checkpoint": "31"}), "checkpoint", **JSON)
        self.stop()
        self.play(self.path("r/best.safetensors"))
        self.assertEqual(json.loads(self.get("/api/runs")[1])["runs"][0]["checkpoints"], ["best"])
        self.assertEqual(len(self.write(run="best.safetensors", length=7)[0]["text"]), 7)

    def test_records_follow_a_run(self):
        self.play(self.path("r"))
        headers, content = self.get("/api/records", run="r")
        self.assertEqual(content, (self.folder / "r/metrics.jsonl").read_bytes())
        self.assertEqual((headers["X-Anew"], headers["X-More"]), ("1", "0"))
        again, nothing = self.get("/api/records", run="r", cursor=headers["X-Cursor"])
        self.assertEqual((nothing, again["X-Cursor"], again["X-Anew"]), (b"", headers["X-Cursor"], "0"))
        with open(self.path("r/metrics.jsonl"), "ab") as file:
            file.write(b'{"event": "step"}\n{"event"')
        new, line = self.get("/api/records", run="r", cursor=headers["X-Cursor"])
        self.assertEqual(line, b'{"event": "step"}\n', "a line that is being written waits")
        self.write("r/metrics.jsonl", '{"event": "run"}\n' * 2000)
        changed, content = self.get("/api/records", run="r", cursor=new["X-Cursor"])
        self.assertEqual((changed["X-Anew"], content.count(b"\n")), ("1", 2000), "another file from its beginning")
        for cursor in ("", "-", "999999999-0", "12-zz", "x" * 300):
            self.assertEqual(self.get("/api/records", run="r", cursor=cursor)[0]["X-Anew"], "1")

    def test_pages_from_elsewhere_are_refused(self):
        self.play(self.path("r"))
        own = f"127.0.0.1:{self.port}"
        for path in ("/", "/api/runs", "/page.js"):
            self.refused_request(403, "GET", path, says="name", Host="evil.example")
            self.refused_request(403, "GET", path, says="another page", Host=own, Origin="http://evil.example")
            self.refused_request(403, "GET", path, says="another page", Host=own, Origin="null")
            self.ask("GET", path, headers={"Host": f"localhost:{self.port}", "Origin": f"http://localhost:{self.port}"})
        body = json.dumps({"run": "r", "checkpoint": "best"})
        self.refused_request(415, "POST", "/api/write", body, Content_Type="text/plain")
        policy = self.get("/")[0]["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        page = self.get("/")[1].decode()
        self.assertNotRegex(page, r"https?://", "nothing is loaded from elsewhere")
        self.assertLess(sum(len(self.get("/" + path)[1]) for path in ("", *re.findall(r'(?:src|href)="(\w+\.\w+)"', page))), 60_000)

    def test_another_address_asks_for_a_token(self):
        self.play(self.path("r"), "--host", "0.0.0.0")
        token = self.address.split("token=")[1]
        self.assertEqual(len(token), 32)
        self.refused_request(403, "GET", "/api/runs", says="token")
        self.refused_request(403, "GET", "/api/runs?token=" + "0" * 32, says="token")
        self.assertIn(b"<title>", self.get("/")[1], "nothing secret")
        self.ask("GET", "/api/runs", headers={"X-Charnn-Token": token})

    def test_bad_requests(self):
        self.play(self.path("r"), "--max-length", "100")
        self.refused_request(404, "GET", "/etc/passwd")
        self.refused_request(404, "GET", "/../../etc/passwd")
        self.refused_request(405, "GET", "/api/write")
        self.refused_request(405, "POST", "/api/runs", "{}", **JSON)
        for body in ("", "x", "[]", "{}", '{"run": 1}', '{"run": "r"}', '{"a": 1, "a": 2}', '{"run": "r", "checkpoint": "best", "id": 1}'):
            self.ask("POST", "/api/write", body, {"Content-Type": "application/json"}, 404 if body == "{}x" else 400)
        self.assertIn("at most 100", self.write(length=101)[0]["error"])
        self.assertIn("unknown key", self.write(promt="x")[0]["error"])
        self.assertIn("vocabulary lacks", self.write(prompt="ζ", length=9)[0]["error"])
        self.ask("POST", "/api/write", "x" * 300_000, {"Content-Type": "application/json"}, 413)
        self.refused_request(415, "POST", "/api/write", "x", Content_Encoding="gzip", **JSON)
        self.refused_request(400, "POST", "/api/write", json.dumps({"run": "r", "checkpoint": "best", "expected": 3}), "stream", **JSON)
        self.assertEqual(len(self.write(length=100)[0]["text"]), 100, "it still answers")

    def test_a_changed_checkpoint_cuts_no_text(self):
        self.play(self.path("r"))
        body = json.dumps({"run": "r", "checkpoint": "last", "length": 20_000, "stream": True, "expected": 5}).encode()
        one = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(one.close)
        one.sendall(b"POST /api/write HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (self.port, len(body), body))
        content = one.recv(1000)
        os.utime(self.path("r/last.safetensors"))
        self.assertEqual(self.write(checkpoint="last", length=5)[0]["chars"], 5)
        while more := one.recv(1 << 20):
            content += more
        self.assertIn(b'"end":"length"', content)

    def test_a_port_has_one_page(self):
        self.play(self.path("r"))
        self.refused("play", self.path("r"), "--no-open", "--port", self.port, says=["cannot listen", "--port"])

    def test_a_slow_reader_stops_no_other(self):
        self.play(self.path("r"))
        body = json.dumps({"run": "r", "checkpoint": "best", "length": 20_000, "stream": True, "expected": 20}).encode()
        slow = []
        for _ in range(4):
            one = socket.create_connection(("127.0.0.1", self.port))
            self.addCleanup(one.close)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(b"POST /api/write HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                        % (self.port, len(body), body))
            slow.append(one)
        for _ in range(3):  # says nothing at all
            idle = socket.create_connection(("127.0.0.1", self.port))
            self.addCleanup(idle.close)
        start = time.time()
        self.assertEqual(self.write(length=50)[0]["chars"], 50)
        self.assertLess(time.time() - start, 10)

    def test_random_requests(self):
        """Whatever comes in, an answer comes out; CHARNN_STORM: for how many seconds."""
        self.play(self.path("r"))
        numbers = random.Random(5)
        some = lambda *values: numbers.choice(values)
        end = time.time() + float(os.environ.get("CHARNN_STORM", "3"))
        while time.time() < end:
            request = {"run": some("r", "r", "", 5, None), "checkpoint": some("best", "last", "x"), "prompt": some("", "The", "ζ", "a" * 300, 7),
                       "length": some(0, 1, 30, -1, 1e9, "x"), "temperature": some(0, 0.5, 100, -1, None), "expected": some(0, 3, 20, 21, True),
                       "stream": some(True, False, 1), "echo": some(True, False), "stop": some("a", "", ["b", "cat"], [1]),
                       "top_p": some(1, 0.1, 0), "seed": some(0, 1, -1, 2**63), some("id", "x", "only", "bias"): some("a", "e=1", 3)}
            for key in numbers.sample(sorted(request), numbers.randrange(len(request))):
                del request[key]
            body = json.dumps(request).encode()
            if numbers.random() < 0.3:
                body = bytes(numbers.randrange(256) if numbers.random() < 0.05 else byte for byte in body)[:numbers.randrange(len(body) + 1)]
            one = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            with one:
                head = (f"{some('POST', 'POST', 'GET', 'PUT', 'X')} {some('/api/write', '/api/write', '/api/records?run=r&cursor=%00', '/', '/%ff')} "
                        f"HTTP/1.1\r\nHost: {some('127.0.0.1', 'localhost')}:{self.port}\r\nContent-Type: {some('application/json', 'x')}\r\n"
                        f"Content-Length: {some(len(body), len(body), 5)}\r\n\r\n")
                one.sendall(head.encode() + body)
                if numbers.random() < 0.8:
                    one.shutdown(socket.SHUT_WR)
                    one.recv(1 << 16)
        self.assertIsNone(self.process.poll(), "still running")
        self.assertEqual(len(self.write(length=40)[0]["text"]), 40)
        self.stop()
        self.assertNotIn(b"Sanitizer", self.process.stderr.read())

    def test_what_cannot_be_shown(self):
        self.refused("play", self.path("none"), "--no-open", says=["No such file"])
        os.mkdir(self.path("empty"))
        self.refused("play", self.path("empty"), "--no-open", says=["has no run"])
        self.refused("play", self.text, "--no-open", says=["text.txt"])
        self.refused("play", self.path("r"), "--no-open", "--host", "203.0.113.1", says=["cannot listen", "--host"])
