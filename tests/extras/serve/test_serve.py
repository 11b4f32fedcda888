"""charnn serve: requests and answers as JSON lines; whatever comes in, an answer comes out."""
import contextlib
import json
import re
import signal
import subprocess
import sys

from tests.cli.support import BINARY, ROOT, Case


class Serve(Case):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "60")

    def start(self, *arguments):
        process = subprocess.Popen([BINARY, "serve", self.path("r"), "--seed", "1", *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def answers(self, *requests, arguments=()):
        """All answers, of a server that gets these lines and then the end."""
        lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in requests]
        done = subprocess.run([BINARY, "serve", self.path("r"), "--seed", "1", *arguments], input=b"\n".join(lines),
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def answer(self, request, **options):
        (answer,) = self.answers(request, **options)
        return answer

    def sample(self, *arguments):
        return self.out("sample", self.path("r"), "--no-echo", *arguments).decode()

    def test_an_answer_is_what_sample_writes(self):
        answer = self.answer({"id": "a", "prompt": "The cat", "length": 60, "temperature": 0.5, "seed": 9})
        self.assertEqual(answer, {"id": "a", "text": self.sample("--prompt", "The cat", "--length", "60", "--temperature", "0.5", "--seed", "9"),
                                  "end": "length", "chars": 60, "seed": 9})

    def test_many_in_flight_each_as_if_alone(self):
        requests = [{"id": i, "prompt": "The cat"[:i % 8], "length": 20 + 7 * i, "seed": i, "top_k": 1 + i % 5} for i in range(20)]
        answers = self.answers(*requests)
        self.assertEqual(sorted(a["id"] for a in answers), list(range(20)))
        self.assertEqual(answers[0]["id"], 0, "the shortest is done first")
        for answer in answers:
            if answer["id"] % 5 == 0:
                r = requests[answer["id"]]
                self.assertEqual(answer["text"], self.sample("--prompt", r["prompt"], "--length", str(r["length"]), "--seed", str(r["seed"]),
                                                             "--top-k", str(r["top_k"])))

    def test_streamed_pieces_make_up_the_text(self):
        answers = self.answers({"id": 1, "prompt": "The ", "length": 3000, "seed": 4, "stream": True, "echo": True})
        self.assertTrue(all(set(a) == {"id", "delta"} for a in answers[:-1]))
        self.assertGreater(len(answers), 2, "more than one piece")
        self.assertEqual(answers[-1], {"id": 1, "end": "length", "chars": 3000, "seed": 4})
        self.assertEqual("".join(a["delta"] for a in answers[:-1]), "The " + self.sample("--prompt", "The ", "--length", "3000", "--seed", "4"))

    def test_stops(self):
        answer = self.answer({"prompt": "The ", "length": 500, "seed": 2, "stop": ["e ", "at"]})
        self.assertEqual(answer["end"], "stop")
        sampled = self.sample("--prompt", "The ", "--length", "500", "--seed", "2", "--stop", "e ", "--stop", "at")
        self.assertEqual(answer["text"] + "\n", sampled, "which ends its line")
        self.assertEqual(answer["chars"], len(answer["text"]))
        self.assertNotIn("\n", self.answer({"length": 500, "until_line": True, "prompt": "The"})["text"])

    def test_errors_are_answers(self):
        cases = [(b"no json", "not JSON"), (b"[1]", "not a JSON object"), (b"{}}", "not JSON"), (b"\xff\xfe", "not JSON"),
                 (b'{"prompt": "\xff"}', "not JSON"), (b'{"id": 1, "id": 2}', "twice"), (b"[" * 100000, "too deep"),
                 ({"prompt": 7}, "prompt"), ({"prompt": "ü"}, "vocabulary lacks"), ({"stop": ""}, "empty"), ({"stop": [1]}, "stop"),
                 ({"temperature": -1}, "temperature"), ({"temperature": "hot"}, "temperature"), ({"temperature": None}, "temperature"),
                 ({"tempratur": 1}, 'did you mean "temperature"?'), ({"length": 1.5}, "length"), ({"length": 10**30}, "length"),
                 ({"length": 100001}, "at most 100000"), ({"beams": 4}, 'unknown key "beams"'), ({"weights": "bf16"}, 'unknown key "weights"'),
                 ({"id": 7, "cancel": False}, "cancel"), ({"cancel": True}, "cancel"), ({"id": 7, "cancel": True, "length": 1}, "cancel"),
                 ({"stream": "yes"}, "stream"), ({"seed": -1}, "seed"), ({"bias": {"a": 1}}, "bias"), ({"bias": ["x"]}, "sample.bias"),
                 ({"one_document": True}, "one continuous text"), ({"cancel": True, "id": 5}, "no request with this id"),
                 ({"unknown": "drop"}, "unknown")]
        answers = self.answers(*(request for request, _ in cases), {"id": "last", "length": 3})
        self.assertEqual(len(answers), len(cases) + 1)
        for (request, message), answer in zip(cases, answers):
            self.assertIn(message, answer["error"], request)
        self.assertEqual(answers[-1]["chars"], 3, "and the server goes on")

    def test_limits(self):
        self.assertIn("at most 50", self.answer({"length": 51}, arguments=["--max-length", "50"])["error"])
        much = ["--max-length", "100000000"]
        answer = self.answer({"length": 10**8}, arguments=[*much, "--max-seconds", "0.05"])
        self.assertEqual(answer["end"], "time")
        self.assertLess(answer["chars"], 10**8)
        answer = self.answer({"length": 10**8, "max_seconds": 0.05}, arguments=much)
        self.assertEqual(answer["end"], "time")
        answers = self.answers(*({"id": i, "length": 50} for i in range(5)), arguments=["--max-requests", "3"])
        self.assertEqual(sorted(a["id"] for a in answers if "error" in a), [3, 4])
        answers = self.answers(b'{"prompt": "' + b"a" * 3_000_000 + b'"}', {"id": 1, "length": 2})
        self.assertIn("more than 1048576 bytes", answers[0]["error"])
        self.assertIn("more than 1048576 bytes", self.answer(b"a" * 1_114_112)["error"])
        self.assertEqual(answers[1]["chars"], 2)

    def test_seeds_are_counted_by_those_who_need_one(self):
        answers = self.answers({"length": 1}, {"seed": 99, "length": 1}, {"top_p": 7}, b"no json", {"length": 1}, b"  \r", b"")
        self.assertEqual([a.get("seed") for a in answers if "error" not in a], [1, 99, 2])
        self.assertEqual(len(answers), 5, "blank lines are no requests")

    def test_what_a_server_cannot_do(self):
        self.refused("serve", self.path("r"), "--beams", "4", says=["--beams"])
        self.refused("serve", self.path("r"), "--length", "51", "--max-length", "50", says=["--max-length 50"])

    def test_the_same_id_twice_and_a_cancelled_request(self):
        answers = self.answers({"id": "a", "length": 90000}, {"id": "a"}, {"id": "b", "length": 5}, {"id": "a", "cancel": True})
        self.assertIn("this id is in progress", answers[0]["error"])
        self.assertEqual({a["id"]: a.get("end") for a in answers[1:]}, {"a": "cancelled", "b": "length"})

    def test_characters_that_are_left_out_are_told(self):
        note, answer = self.answers({"id": 1, "prompt": "The ö", "unknown": "skip", "length": 9, "seed": 3})
        self.assertIn("'ö' (position 4)", note["note"])
        self.assertEqual(answer["text"], self.sample("--prompt", "The ", "--length", "9", "--seed", "3"))

    def test_answers_come_while_others_are_awaited(self):
        process = self.start()
        for number in (1, 2):
            process.stdin.write(b'{"id": %d, "length": 5}\n' % number)
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["id"], number)
        process.stdin.close()
        self.assertEqual(process.wait(timeout=60), 0)

    def test_signals_and_readers_that_leave(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start()
            process.stdin.write(b'{"id": 1, "length": 5}\n')
            process.stdin.flush()
            process.stdout.readline()
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=60), 128 + number)
        process = self.start()
        process.stdout.close()
        process.stdin.write(b'{"id": 1, "length": 5}\n')
        process.stdin.flush()
        self.assertEqual(process.wait(timeout=60), 0)

    def test_the_client_of_the_manual(self):
        manual = (ROOT / "docs/sampling.md").read_text()
        client = re.search(r"```python\n(.*?)```", manual, re.S).group(1)
        self.assertLessEqual(len(client.strip().splitlines()), 15)
        client = client.replace('"charnn"', repr(BINARY)).replace("runs/my", self.path("r"))
        done = subprocess.run([sys.executable, "-c", client], capture_output=True, timeout=60, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(len(done.stdout), 100)


class Bytes(Case):
    def test_pieces_end_between_characters(self):
        self.text = self.write("u.txt", "äöü€😀 naïve façade\n" * 100)
        self.train("u", "--tokens", "bytes", "--max-steps", "80")
        request = {"id": 1, "prompt": "€", "echo": True, "length": 3000, "seed": 1, "stream": True, "temperature": 0.2}
        done = subprocess.run([BINARY, "serve", self.path("u")], input=json.dumps(request).encode(), capture_output=True, timeout=60)
        text = "".join(json.loads(line).get("delta", "") for line in done.stdout.splitlines())
        written = self.out("sample", self.path("u"), "--prompt", "€", "--length", "3000", "--seed", "1", "--temperature", "0.2")
        self.assertEqual(text, written.decode(errors="replace"))
