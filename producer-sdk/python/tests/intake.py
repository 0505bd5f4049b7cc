"""A strict stand-in for the event intake of a monitor: it takes what the contract allows and remembers what was wrong."""

from __future__ import annotations

import gzip
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from trainwatch.internal.avro import Codec


class Intake:
    """Answers on a free port of the loopback interface; ``events`` are those that it has acknowledged, in order."""

    def __init__(self, port=0, token=None):
        self.codec = Codec.of("TrainingEvent")
        self.events = []
        self.requests = 0
        self.mistakes = []
        self.token = token
        #: Answers to give before taking events again: (status, headers).
        self.refusals = []
        self.commands = []
        self.most_bytes = 1 << 24
        self.reject = lambda event: False
        self.hold = threading.Event()
        self.hold.set()
        intake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                intake.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                intake.hold.wait(30)
                try:
                    status, headers, answer = intake.answer(self.path, self.headers, body)
                except Exception as e:
                    intake.mistakes.append(repr(e))
                    status, headers, answer = 400, {}, {"title": repr(e)}
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, path, headers, body):
        """Returns (status, headers, answer) of a request."""
        if self.refusals:
            status, more = self.refusals.pop(0)
            return status, more, {}
        if path != "/api/v1/events" or headers["Content-Type"] != "application/vnd.trainwatch.avro":
            raise AssertionError("%s %s" % (path, headers["Content-Type"]))
        if self.token and headers["Authorization"] != "Bearer " + self.token:
            return 401, {}, {"title": "token"}
        if headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if len(body) > self.most_bytes:
            return 413, {}, {"title": "too large"}
        rejected = []
        accepted = 0
        at = 0
        while at < len(body):
            (length,) = struct.unpack_from(">I", body, at)
            event = self.codec.decode(body[at + 4 : at + 4 + length])
            at += 4 + length
            if self.reject(event):
                rejected.append({"index": accepted + len(rejected), "reason": "refused by the test"})
            else:
                accepted += 1
                self.events.append(event)
        commands, self.commands = self.commands, []
        answer = {"accepted": accepted, "rejected": rejected, "commands": commands}
        return (400 if rejected else 200), {}, answer

    def steps(self):
        """Returns the steps of the step_completed events, in order of arrival."""
        return [event["step"] for event in self.events if event["body"][0] == "StepCompleted"]

    def bodies(self, name):
        """Returns the bodies of one type."""
        return [event["body"][1] for event in self.events if event["body"][0] == name]

    def close(self):
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()
