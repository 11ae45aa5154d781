"""The application: its interface, what it refuses, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from langalign_sk.service import ServiceLimits, _requests, create_app
from tests.service.toy import Greeter, Waiting, post

pytest.importorskip("fastapi", reason="needs fastapi")
pytest.importorskip("httpx", reason="needs httpx")

TOKEN = "correct-horse-battery"
LIMITS = ServiceLimits(max_body_bytes=20_000, max_rows=8, max_letters=50)


def started(model=None, **settings):
    from fastapi.testclient import TestClient

    settings = {"limits": LIMITS, "warm_up": ()} | settings
    return TestClient(create_app(Greeter() if model is None else model, **settings))


@pytest.fixture(scope="module")
def client():
    with started() as client:
        yield client


def refused(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()["detail"]


def test_an_answer_has_a_label_a_quality_a_review_and_an_error_per_row(client):
    response = post(client, {"texts": ["one", "odd", ""]})
    assert response.status_code == 200
    assert response.json() == {
        "labels": ["of 3", None, None],
        "quality": [0.5, 0.0, 0.0],
        "review": [False, True, True],
        "errors": [None, None, "texts[2] is empty."],
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"texts": []}, "texts has 0 rows; send 1 to 8"),
        ({"texts": ["a"] * 9}, "texts has 9 rows; send 1 to 8"),
        ({"texts": "hello"}, "body.texts: Input should be a valid list"),
        ({"texts": {"0": "hello"}}, "body.texts: Input should be a valid list"),
        ({"texts": None}, "body.texts: Input should be a valid list"),
        ({"texts": ["hello", 7]}, "body.texts.1: Input should be a valid string"),
        ({"texts": ["hello", None]}, "body.texts.1: Input should be a valid string"),
        ({"texts": [["hello"]]}, "body.texts.0: Input should be a valid string"),
        ({"text": ["hello"]}, "body.texts: Field required"),
        ([], "body: Input should be a valid dictionary"),
        (b"", "JSON"),
        (b'{"texts": [', "JSON"),
        (b'{"texts": ["\xff"]}', "JSON"),
        (b"[" * 15_000, "JSON"),
        (b"9" * 15_000, "JSON"),
        (b'{"texts": ["a\x00"]}', "JSON"),
    ],
)
def test_bad_input_is_refused_with_a_message(client, body, message):
    assert message in refused(post(client, body), 422)


def test_nothing_of_a_refused_request_is_sent_back(client):
    response = post(client, {"secret-key": 1, "texts": [{"secret": "secret"}]})
    assert "secret" not in response.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(client, kind):
    body = b'{"texts": ["hello"]}'
    assert "Content-Type" in refused(post(client, body, {"Content-Type": kind}), 415)


def test_a_packed_body_is_refused(client):
    body = b'{"texts": ["hello"]}'
    assert "Content-Encoding" in refused(post(client, body, {"Content-Encoding": "gzip"}), 415)
    assert post(client, body, {"Content-Encoding": "identity"}).status_code == 200


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "euc-kr", "utf-16-be"])
def test_another_encoding_is_named(client, encoding):
    body = '{"texts": ["안녕하세요"]}'.encode(encoding)
    assert "JSON" in refused(post(client, body), 422)
    if not encoding.endswith("be"):
        assert "UTF-8" in refused(post(client, body), 422)


def test_halves_of_surrogate_pairs_are_read_at_a_cost_that_is_bounded():
    one = b'{"texts": ["a\xed\xa0\xbdb"]}'
    assert _requests.read_texts(one, LIMITS) == ["a\ufffdb"]
    with pytest.raises(_requests.RefusedError, match="not JSON in UTF-8"):
        _requests.read_texts(b'{"texts": ["' + b"\xed\xa0\xbd" * 20_000 + b'"]}', LIMITS)


def test_nothing_is_sent_on_to_another_address(client):
    body, headers = b'{"texts": ["hello"]}', {"Content-Type": "application/json"}
    response = client.post("/predict/", content=body, headers=headers, follow_redirects=False)
    assert response.status_code == 404


def test_a_failure_of_the_service_quotes_nothing(monkeypatch, caplog):
    def fails(*_, **__):
        raise ValueError("my secret 1234")

    monkeypatch.setattr("langalign_sk.service._app.answer", fails)
    with started() as client:
        assert "failed" in refused(post(client, {"texts": ["hello"]}), 500)
    assert "1234" not in caplog.text
    assert "A request failed: ValueError" in caplog.text


def test_a_type_with_an_encoding_is_read(client):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert post(client, {"texts": ["hello"]}, headers).status_code == 200


def test_a_large_body_is_refused_by_its_length_before_it_is_read():
    read = []

    async def receive():
        read.append(1)
        raise AssertionError("the body was read")

    for declared in (b"20001", b"28000000", b"9" * 30, b"-1", b"x", "²".encode("latin-1")):
        headers = [(b"content-type", b"application/json"), (b"content-length", declared)]
        assert asked(receive, headers) == 413
    assert not read


def test_a_large_body_without_a_length_is_refused_while_it_is_read():
    sent = []

    async def receive():
        sent.append(b" " * 1_000)
        return {"type": "http.request", "body": sent[-1], "more_body": True}

    assert asked(receive, [(b"content-type", b"application/json")]) == 413
    assert len(sent) == 21  # the first kilobyte beyond the limit


def test_a_body_of_the_limit_is_read(client):
    body = json.dumps({"texts": ["hello"]}).encode()
    assert post(client, body.ljust(LIMITS.max_body_bytes)).status_code == 200
    refused(post(client, body.ljust(LIMITS.max_body_bytes + 1)), 413)


def asked(receive, headers, limits=LIMITS):
    """Status of a request whose body comes from a function, without a client's help."""
    import asyncio

    app = create_app(Greeter(), limits=limits, warm_up=())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
    }
    sent = []

    async def send(message):
        sent.append(message)

    async def go():
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)

    asyncio.run(go())
    return next(m["status"] for m in sent if m["type"] == "http.response.start")


def test_a_body_that_does_not_arrive_ends_the_request():
    import asyncio

    async def receive():
        await asyncio.Event().wait()

    limits = ServiceLimits(max_body_seconds=0.01)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
    assert asked(receive, headers, limits) == 408


def test_a_client_that_goes_away_ends_the_request():
    async def receive():
        return {"type": "http.disconnect"}

    assert asked(receive, [(b"content-type", b"application/json")]) == 400


def test_the_sum_of_large_bodies_is_limited():
    async def receive():
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    limits = ServiceLimits(max_buffered_bytes=100_000, max_body_bytes=10**6)
    assert asked(receive, [(b"content-type", b"application/json")], limits) == 503


@pytest.mark.parametrize(
    "part", [b"[],", b'"",', b"0,", b"{},", b'"a":0,', b'"\\"",', b"[", b"  [", b"9", b"-"]
)
def test_a_body_of_many_parts_is_refused_before_objects_are_made(part, monkeypatch):
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("the body was decoded"))
    for body in (part * 4_000, b'{"texts": [' + part * 4_000 + b'"a"]}'):
        with pytest.raises(_requests.RefusedError, match="has fewer than 1032 parts"):
            _requests.read_texts(body, LIMITS)


@pytest.mark.parametrize(
    "text", ["[],{}" * 3_000, '"' * 9_000, "\\" * 9_000, '\\"' * 5_000, "a\n" * 9_000, "가" * 9_000]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_stands_in_texts_is_not_a_part(text, ascii_only):
    rows = [text] * LIMITS.max_rows
    body = json.dumps({"note": {"of": text}, "texts": rows}, ensure_ascii=ascii_only, indent=4)
    assert _requests.read_texts(body.encode(), LIMITS) == rows


def test_a_string_without_an_end_is_read_once():
    """The time would grow with the square of the length, which this test would not outlive."""
    for body in (b'"' + b'\\"' * 1_000_000, b'"\\' * 1_000_000):
        with pytest.raises(_requests.RefusedError):
            _requests.read_texts(b'{"texts": [' + body, LIMITS)


def test_a_byte_order_mark_is_read():
    body = json.dumps({"texts": ["가"]}, ensure_ascii=False).encode("utf-8-sig")
    assert _requests.read_texts(body, LIMITS) == ["가"]


def test_a_million_wrong_items_cost_what_reading_them_costs():
    """The case of an answer that lists an error per item before it shows the first."""
    body = b'{"texts":[' + b"[]," * 100_000 + b"[]]}"
    with started(limits=ServiceLimits(max_rows=200_000)) as client:
        post(client, {"texts": ["hello"]})
        tracemalloc.start()
        try:
            detail = refused(post(client, body), 422)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert detail == "body.texts.0: Input should be a valid string"
    items = 100_001 * (8 + 72)  # a pointer and an empty list with the header of the collector
    assert peak < 2 * items + 8 * len(body)


@pytest.mark.parametrize("text", [r"카드를 \ud83d 잃어버렸어요", r"\udc00"])
def test_half_a_surrogate_pair_in_json_is_answered(client, text):
    response = post(client, f'{{"texts": ["hello", "{text}"]}}'.encode())
    assert response.status_code == 200
    assert response.json()["errors"] == [None, None]


def test_a_label_with_half_a_surrogate_pair_is_sent():
    class Odd(Greeter):
        def predict(self, texts):
            return ["\ud83d" for _ in texts]

    with started(Odd()) as client:
        assert post(client, {"texts": ["hello"]}).json()["labels"] == ["\ud83d"]


def test_a_row_that_the_model_fails_on_has_an_error_of_its_own():
    with started(Greeter(fails_on="poison")) as client:
        out = post(client, {"texts": ["hello", "poison", "goodbye"]}).json()
    assert out["labels"] == ["of 5", None, "of 7"]
    assert out["errors"][1] == "texts[1] could not be answered: the model failed on it."


def test_health_answers_while_every_thread_works_and_more_requests_are_refused():
    model = Waiting()
    limits = ServiceLimits(max_concurrent=1, max_waiting=1, max_seconds=600)
    with started(model, limits=limits) as client, ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, client, {"texts": ["one"]})
        assert model.began.wait(60)
        second = threads.submit(post, client, {"texts": ["three"]})
        app_threads = client.app.state.threads
        while app_threads.n < 2 and not second.done():
            pass
        assert client.get("/health").json() == {"status": "ok"}
        response = post(client, {"texts": ["two"]})
        assert "busy" in refused(response, 503)
        assert response.headers["retry-after"] == "1"
        model.go_on.set()
        assert first.result(60).json()["labels"] == ["of 3"]
        assert second.result(60).json()["labels"] == ["of 5"]
        # The places are free again.
        assert post(client, {"texts": ["four"]}).status_code == 200


def test_a_request_that_takes_too_long_is_ended_and_keeps_its_place():
    model = Waiting()
    limits = ServiceLimits(max_concurrent=1, max_waiting=1, max_seconds=0.05)
    with started(model, limits=limits) as client:
        while not model.began.is_set():  # a slow machine does not begin in time
            assert "No answer within 0.05 s" in refused(post(client, {"texts": ["one"]}), 503)
        # The next one waits behind it, and is never begun.
        refused(post(client, {"texts": ["two"]}), 503)
        assert client.get("/health").status_code == 200
        model.go_on.set()
        client.app.state.threads.pool.shutdown(wait=True)
        assert client.app.state.threads.n == 0
    assert model.batches == [["one"]]


def test_a_request_that_is_never_begun_is_refused_as_a_whole():
    model = Greeter()
    with started(model, limits=ServiceLimits(max_seconds=1e-6)) as client:
        for _ in range(20):
            assert "No answer within 1e-06 s" in refused(post(client, {"texts": ["one"]}), 503)
    assert model.batches == []


# Authentication


@pytest.fixture(scope="module")
def guarded():
    with started(token=TOKEN) as client:
        yield client


def test_the_token_opens(guarded):
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} {TOKEN}"}
        assert post(guarded, {"texts": ["hello"]}, headers).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9",
    ],
)
def test_anything_else_is_refused_before_the_body_is_looked_at(guarded, given):
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    response = post(guarded, b"no JSON", headers)
    assert "Authorization: Bearer" in refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in response.text


def test_two_tokens_are_none(guarded):
    headers = [("Authorization", f"Bearer {TOKEN}")] * 2 + [("Content-Type", "application/json")]
    assert guarded.post("/predict", content=b"{}", headers=headers).status_code == 401


def test_health_needs_no_token_and_the_description_is_not_shown(guarded, client):
    assert guarded.get("/health").json() == {"status": "ok"}
    assert guarded.get("/openapi.json").status_code == 404
    assert guarded.get("/docs").status_code == 404
    schema = client.get("/openapi.json").json()
    assert sorted(schema["paths"]) == ["/health", "/predict"]
    answers = schema["components"]["schemas"]["Answers"]["properties"]
    assert sorted(answers) == ["errors", "labels", "quality", "review"]


def test_tokens_are_compared_in_constant_time(monkeypatch):
    import hmac

    seen, real = [], hmac.compare_digest

    def compared(a, b):
        seen.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compared)
    with started(token=TOKEN) as client:
        for given in ("", "x", TOKEN, "x" * 5_000):
            post(client, {"texts": ["hello"]}, {"Authorization": f"Bearer {given}"})
    assert seen == [(32, 32)] * 4


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "with a space in it", "é" * 20, "a\n" * 20]
)
def test_a_token_that_is_no_secret_is_refused(token):
    with pytest.raises(ValueError, match=r"secrets\.token_urlsafe"):
        create_app(Greeter(), token=token)


# The model


def test_a_folder_that_others_can_write_is_not_loaded(tmp_path):
    folder = tmp_path / "planted"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="can be written by other users"), started(folder):
        pass


def test_a_model_without_a_quality_is_refused():
    with pytest.raises(TypeError, match="object, which has no quality_score"):
        create_app(object())


def test_a_model_without_labels_is_refused():
    class Scores:
        quality_score = Greeter.quality_score

    with pytest.raises(TypeError, match="Scores, which has no predict"):
        create_app(Scores())


def test_a_model_that_fails_on_its_first_texts_does_not_start():
    with pytest.raises(ValueError, match="cannot read"), started(Greeter("Hi"), warm_up=["Hi"]):
        pass


@pytest.mark.parametrize("value", [-0.1, 2, "0.05", float("nan")])
def test_a_share_of_review_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="review_below must be a number in"):
        create_app(Greeter(), review_below=value)


def test_reading_and_checking_need_no_server():
    code = (
        "import sys; from langalign_sk.service import answer, check_owner, create_app; "
        "print(sorted({'fastapi', 'starlette', 'uvicorn', 'pydantic', 'torch'} & {*sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[service\]"'):
        create_app(Greeter())


def test_the_model_is_warmed_up():
    model = Greeter()
    with started(model, warm_up=["안녕하세요"]):
        assert model.batches == [["안녕하세요"]]
