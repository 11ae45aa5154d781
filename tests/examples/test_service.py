"""The example service: answers of the pipeline, review of odd rows, and refusals."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from langalign_sk import save
from langalign_sk.datasets import load_service_requests
from tests.examples.scripts import example_script

for package in ("fastapi", "httpx", "skops"):
    pytest.importorskip(package, reason="needs pip install fastapi httpx skops")

KOREAN = list(load_service_requests(language="ko", subset="test").data)


@pytest.fixture(scope="module")
def example():
    return example_script("service")


@pytest.fixture(scope="module")
def pipe(example):
    return example.train()


@pytest.fixture(scope="module")
def client(example, pipe, tmp_path_factory):
    from fastapi.testclient import TestClient

    example.FOLDER = tmp_path_factory.mktemp("service") / "model"
    save(pipe, example.FOLDER)
    with TestClient(example.start(example.create_app)) as client:
        yield client


def ask(client, texts):
    # Escaped, as half a surrogate pair has no other form.
    content, headers = json.dumps({"texts": texts}), {"Content-Type": "application/json"}
    response = client.post("/predict", content=content, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.slow
def test_answers_are_those_of_the_pipeline(client, pipe):
    out = ask(client, KOREAN[:40])
    assert out["labels"] == pipe.predict(KOREAN[:40]).tolist()
    assert out["quality"] == pipe[0].quality_score(KOREAN[:40]).tolist()
    assert all(0 <= q <= 1 for q in out["quality"])
    assert out["review"] == [q < 0.05 for q in out["quality"]]
    assert out["errors"] == [None] * 40


def test_odd_rows_go_to_a_person_and_leave_the_others_alone(client):
    thai, bytes_read_wrongly = "สวัสดีตอนเช้า", "ì•ˆë…•í•˜ì„¸ìš”ðŸ™‚ëª…ë ¹ã…‹¥ÿ§¬þ"
    out = ask(client, [KOREAN[0], thai, bytes_read_wrongly])
    assert out["labels"][0] == ask(client, [KOREAN[0]])["labels"][0]
    assert out["review"][1:] == [True, True]
    assert out["labels"][1] is None
    assert out["quality"][1] == 0


def test_english_requests_are_answered(client, pipe):
    english = list(load_service_requests(language="en", subset="test").data)[:10]
    assert ask(client, english)["labels"] == pipe.predict(english).tolist()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"texts": []}, "texts has 0 rows; send 1 to 256"),
        ({"texts": ["가"] * 257}, "texts has 257 rows; send 1 to 256"),
        ({"texts": "안녕하세요"}, "body.texts: Input should be a valid list"),
        ({"texts": ["안녕하세요", 7]}, "body.texts.1: Input should be a valid string"),
        ({"texts": ["안녕하세요", None]}, "body.texts.1: Input should be a valid string"),
        ({"text": ["안녕하세요"]}, "body.texts: Field required"),
        ([], "body: "),
    ],
)
def test_bad_input_is_refused_with_a_message(client, body, message):
    headers = {"Content-Type": "application/json"}
    response = client.post("/predict", content=json.dumps(body), headers=headers)
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_a_body_that_is_not_json_is_refused(client):
    headers = {"Content-Type": "application/json"}
    response = client.post("/predict", content=b'{"texts": [', headers=headers)
    assert response.status_code == 422
    assert "JSON" in response.json()["detail"]


def test_a_bad_row_has_an_error_and_leaves_the_others_alone(client):
    rows = [" \n", "가" * 2_001, "\ufdfa" * 2_000]
    out = ask(client, [KOREAN[0], *rows])
    assert out["errors"] == [
        None,
        "texts[1] is empty.",
        "texts[2] has over 2000 letters.",
        "texts[3] has over 2000 letters.",
    ]
    assert out["labels"] == [ask(client, [KOREAN[0]])["labels"][0], None, None, None]


def test_half_a_surrogate_pair_is_answered(client):
    out = ask(client, [KOREAN[0], "카드를 \ud83d 잃어버렸어요"])
    assert out["errors"] == [None, None]
    assert out["labels"][1] is not None


def test_no_warning_names_a_text(client, recwarn):
    # Python remembers every warning, so each text would stay in memory.
    ask(client, ["สวัสดีตอนเช้า", KOREAN[1]])
    assert not list(recwarn)


def test_the_folder_is_not_a_predictable_one_of_all_users(example, monkeypatch):
    monkeypatch.delenv("SERVICE_MODEL", raising=False)
    folder = example_script("service").FOLDER
    assert not folder.is_relative_to(tempfile.gettempdir())


def test_health(client):
    assert client.get("/health").json() == {"status": "ok"}


def test_concurrent_answers_are_those_of_one_thread(client, pipe, example):
    batches = [[f"{KOREAN[(7 * i + j) % 144]} {i}" for j in range(1 + i % 9)] for i in range(48)]
    with ThreadPoolExecutor(8) as threads:
        concurrent = list(threads.map(lambda batch: ask(client, batch), batches))
    assert concurrent == [example.answer(pipe, batch) for batch in batches]
