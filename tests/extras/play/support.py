"""Starts charnn play and talks to it."""
import contextlib
import http.client
import json
import re
import signal
import subprocess
import urllib.parse

from tests.cli.support import BINARY, Case


class PlayCase(Case):
    def play(self, path, *arguments):
        """Starts the page of `path`; returns its host and port, and the rest of its address."""
        process = subprocess.Popen([BINARY, "-q", "play", path, "--no-open", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        self.process = process
        line = process.stdout.readline().decode()
        self.assertRegex(line, r"^http://[\w.:\[\]]+/", process.stderr.read() if not line else b"")
        self.address = line.strip()
        self.port = int(re.search(r":(\d+)/", line)[1])

    def end(self, process):
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(10), 130, self.process.stderr.read())

    def ask(self, method, path, body=None, headers=None, status=200):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        self.assertEqual(answer.status, status, content)
        return answer.headers, content

    def get(self, path, **query):
        return self.ask("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def refused_request(self, status, method, path, body=None, says="", **headers):
        content = self.ask(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()}, status)[1]
        self.assertIn(says, json.loads(content)["error"])

    def write(self, *arguments, **request):
        if arguments:  # a file, as in Case
            return super().write(*arguments)
        body = json.dumps({"run": "r", "checkpoint": "best", **request})
        content = self.ask("POST", "/api/write", body, {"Content-Type": "application/json"})[1]
        return [json.loads(line) for line in content.splitlines()]
