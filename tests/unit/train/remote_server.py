"""A tiny OpenAI-compatible server: it knows some texts by heart and goes on where a prompt breaks off."""

import json
import math
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-of-the-test"
PIECE = 3
"""Characters of each of its tokens."""


class Model:
    """Answers as the real thing does; `faults` are given first, one a request."""

    def __init__(self, texts, faults=()):
        self.texts, self.faults = texts, list(faults)
        self.requests, self.keys = [], []

    def answer(self, request):
        """Status, headers and body."""
        if self.faults:
            return self.faults.pop(0)
        prompt, top = request["prompt"], request["logprobs"]
        # Contexts come before the window's text: the end of a prompt is enough to know the place.
        text = next(text for text in self.texts if prompt[-24:] in text)
        start = text.index(prompt[-24:]) + len(prompt[-24:])
        count = request["max_tokens"]
        pieces = [text[at : at + PIECE] for at in range(start, len(text), PIECE)][:count]
        choices = [{piece: math.log(0.6), "zz": math.log(0.3)} for piece in pieces]
        body = {
            "choices": [
                {
                    "text": "".join(pieces),
                    "logprobs": {
                        "tokens": pieces,
                        "token_logprobs": [math.log(0.6)] * len(pieces),
                        "top_logprobs": [dict(list(each.items())[:top]) for each in choices],
                    },
                }
            ],
            "usage": {"prompt_tokens": 50, "completion_tokens": len(pieces)},
        }
        return 200, {}, json.dumps(body)


@contextmanager
def serving(model):
    """The server's base_url while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            model.keys.append(self.headers["Authorization"])
            model.requests.append((self.path, json.loads(self.rfile.read(length))))
            status, headers, body = model.answer(model.requests[-1][1])
            if callable(body):
                body = body()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
