"""The server: connections that say nothing are closed, and others are answered meanwhile."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from threading import Thread

import pytest

from langalign_sk.service import ServiceLimits, create_app, serve
from tests.service.toy import Greeter, Waiting

for package in ("fastapi", "uvicorn"):
    pytest.importorskip(package, reason="needs fastapi and uvicorn")

_server = import_module("langalign_sk.service._server")  # imports uvicorn

QUICK = ServiceLimits(max_idle_seconds=0.2, max_body_seconds=0.2, max_body_bytes=100_000)
# Of tests in which nothing stalls, but a slow machine may.
PATIENT = ServiceLimits(
    max_idle_seconds=60, max_body_seconds=60, max_seconds=600, max_body_bytes=100_000
)
TRIES = 50
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextmanager
def served(limits=QUICK, model=None):
    """Port of a service in a thread of this process."""
    import uvicorn

    app = create_app(Greeter() if model is None else model, limits=limits, warm_up=())
    settings = _server.LimitedConfig(app, "127.0.0.1", 0, limits)
    server = uvicorn.Server(settings)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture(scope="module")
def port():
    with served() as port:
        yield port


@pytest.fixture(scope="module")
def patient_port():
    with served(PATIENT) as port:
        yield port


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def everything(connection):
    """What comes until the connection is closed, here within a minute."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def answer_to(port, sent):
    """What comes for some bytes; again where a slow machine sends them too late for the limits."""
    for _ in range(TRIES):
        with connected(port) as connection:
            connection.sendall(sent)
            if answer := everything(connection):
                return answer
    return b""


def send_for_ever(connection, part):
    while True:
        connection.sendall(part)


def ask(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def ask_again(port, body):
    """Answer to a request, which a slow machine may send too late for the limits."""
    for _ in range(TRIES):
        with suppress(ConnectionError):
            status, answer = ask(port, body)
            if status != 408:
                return status, answer
    return ask(port, body)


def test_stalled_connections_are_closed_and_others_are_answered(port):
    stalls = [b"", b"P", HEAD[:40], HEAD]
    connections = [connected(port) for _ in range(40)]
    try:
        for i, connection in enumerate(connections):
            connection.sendall(stalls[i % len(stalls)])
        status, answer = ask_again(port, json.dumps({"texts": ["hello"]}))
        assert (status, answer["labels"]) == (200, ["of 5"])
        assert [everything(connection) for connection in connections] == [b""] * 40
    finally:
        for connection in connections:
            connection.close()


def test_a_body_that_stalls_is_answered_with_408_and_closed(port):
    answer = answer_to(port, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


def test_a_head_that_drips_does_not_keep_its_connection(port):
    with connected(port) as connection:
        connection.settimeout(0.01)
        sent, end = 0, None
        while end is None and sent < 60_000:
            try:
                connection.sendall(b"X")
                sent += 1
                end = connection.recv(100)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                end = b""
    assert end == b""


def test_a_connection_that_stalls_after_an_answer_is_closed(port):
    body = b'{"texts": ["hello"]}'
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answer = answer_to(port, request + HEAD[:30])
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_connection_is_used_again(patient_port):
    connection = http.client.HTTPConnection("127.0.0.1", patient_port, timeout=60)
    for text in ("a", "bb", "ccc"):
        body = json.dumps({"texts": [text]})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert json.loads(response.read())["labels"] == [f"of {len(text)}"]
    connection.close()


def test_a_large_body_is_refused_while_its_client_still_sends():
    with served(PATIENT) as port:
        # By its length, and without one while it is read; http.client sends the parts in chunks.
        for body in (b" " * 3_000_000, (b" " * 50_000 for _ in range(60))):
            status, answer = ask(port, body)
            assert (status, answer["detail"][:14]) == (413, "The body is la")
        assert ask(port, json.dumps({"texts": ["hello"]}))[0] == 200


def test_a_body_that_never_ends_is_cut_off(port):
    part = b"%x\r\n" % 50_000 + b" " * 50_000 + b"\r\n"
    with connected(port) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_for_ever(connection, part)


def test_the_connection_that_waits_longest_makes_room():
    with served(replace(PATIENT, max_connections=3)) as port:
        held = [connected(port) for _ in range(3)]
        try:
            held[1].sendall(HEAD + b"Content-Length: 100\r\n\r\n{")  # half a body waits as well
            assert ask(port, json.dumps({"texts": ["hello"]}))[0] == 200
            assert everything(held[0]) == b""
            with connected(port), connected(port):
                assert everything(held[1]) == b""
        finally:
            for each in held:
                each.close()


def test_a_connection_that_is_being_answered_makes_no_room():
    model = Waiting()
    limits = replace(PATIENT, max_connections=1)
    body = b'{"texts": ["hello"]}'
    with served(limits, model) as port, connected(port) as first:
        first.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert model.began.wait(60)
        with connected(port) as second:
            answer = everything(second)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"detail": "The service is busy' in answer
        model.go_on.set()
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # of TLS
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 3_000 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 3_000,
    ],
    ids=range(10),
)
def test_what_is_no_request_is_refused_in_json(patient_port, request_):
    with connected(patient_port) as connection:
        with suppress(ConnectionError):
            connection.sendall(request_)
        answer = everything(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 4")
    assert b"content-type: application/json" in head
    assert list(json.loads(body)) == ["detail"]


def test_lines_are_counted_for_each_request(patient_port):
    """A connection may be used for ever, for bodies in chunks too."""
    body = json.dumps({"texts": ["hello"] * 200}, indent=1).replace("\n", "\r\n").encode()
    connection = http.client.HTTPConnection("127.0.0.1", patient_port, timeout=60)
    for _ in range(12):
        parts = (body[i : i + 100] for i in range(0, len(body), 100))
        connection.request("POST", "/predict", parts, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert len(json.loads(response.read())["labels"]) == 200
    connection.close()


def test_requests_that_are_sent_ahead_are_answered_and_not_kept(monkeypatch):
    kept, real = [], _server.LimitedProtocol.data_received

    def received(self, data):
        real(self, data)
        kept.append(len(self.pending))

    monkeypatch.setattr(_server.LimitedProtocol, "data_received", received)
    body = json.dumps({"texts": ["hello"] * 200}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    n = 300
    with served(PATIENT) as port, connected(port) as connection:
        sender = Thread(target=connection.sendall, args=(request * n,))
        sender.start()
        answers = b""
        while answers.count(b"HTTP/1.1 200") < n:
            part = connection.recv(65_536)
            assert part
            answers += part
        sender.join()
    assert max(kept) < 2**20


def test_no_request_stands_in_the_log(capfd):
    request = b"GET /predict?text=secret1234 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with served(PATIENT) as port, connected(port) as connection:
        connection.sendall(request)
        assert everything(connection).startswith(b"HTTP/1.1 405 ")
    assert "secret1234" not in "".join(capfd.readouterr())


def test_a_service_that_does_not_start_ends_with_a_status():
    with pytest.raises(SystemExit) as caught:
        serve(Greeter(fails_on="Good"), port=0)
    assert caught.value.code == 3


def test_a_service_that_others_reach_without_a_token_warns(monkeypatch):
    ran = []
    monkeypatch.setattr(_server, "run", lambda app, host, port, limits: ran.append((host, port)))
    with pytest.warns(UserWarning, match=r"host='0\.0\.0\.0' lets other machines ask") as caught:
        serve(Greeter(), host="0.0.0.0", port=80)
    assert caught[0].filename == __file__
    serve(Greeter(), host="0.0.0.0", token="correct-horse-battery")
    serve(Greeter())
    assert ran == [("0.0.0.0", 80), ("0.0.0.0", 8000), ("127.0.0.1", 8000)]


def test_a_folder_is_checked_before_the_server_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(_server, "run", lambda *_: pytest.fail("the server was started"))
    with pytest.raises(FileNotFoundError, match="save a fitted model"):
        serve(tmp_path / "none")
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted").chmod(0o777)
    with pytest.raises(PermissionError, match="can be written by other users"):
        serve(tmp_path / "planted")
