"""An HTTP server on loopback in the manner of OpenAI's API."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from langalign_sk.encoders import EndpointEncoder

KEY = "sk-not-for-anyone-to-see"


def vector(text, width=4):
    """What the server makes of a text; exact in float32."""
    return [len(text), ord(text[0]), sum(map(ord, text)) % 1000, 0.5, 0.25][:width]


def busy(status=429, message="slow down", **headers):
    """An answer that refuses."""
    return status, headers, json.dumps({"error": {"message": message}})


def answer(*vectors, index=None):
    """An answer with these vectors, whatever was asked."""
    index = range(len(vectors)) if index is None else index
    data = [
        {"object": "embedding", "index": i, "embedding": v}
        for i, v in zip(index, vectors, strict=True)
    ]
    return 200, {}, json.dumps({"object": "list", "data": data, "model": "m", "usage": None})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.seen.append((self.path, self.headers, body))
            reply = server.plan.pop(0) if server.plan else server.always
        if callable(reply):
            reply = reply(body)
        if reply is None:
            reply = answer(*(server.vector(t, body.get("dimensions", 4)) for t in body["input"]))
        status, headers, text = reply
        content = text.encode()
        headers = {"Content-Type": "application/json", "Content-Length": len(content)} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Answers `plan` first, one entry a request; None is a good answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen, self.plan, self.always = [], [], None
        self.vector = vector
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that waits no more
            super().handle_error(request, client_address)

    @property
    def asked(self):
        """Texts of every request, but for the one that finds the width."""
        inputs = [body["input"] for _, _, body in self.seen]
        return [texts for texts in inputs if texts != ["width"]]

    @property
    def texts(self):
        return [text for texts in self.asked for text in texts]


def make(server, name="m", **params):
    return EndpointEncoder(name, base_url=server.url, **{"max_retries": 2, **params})


def loaded(server, **params):
    """An encoder that knows its width, and a server that has forgotten the request for it."""
    encoder = make(server, **params)
    encoder.load()
    server.seen.clear()
    return encoder
