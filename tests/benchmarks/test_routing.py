"""Benchmark of the language of rows: its rows, its shares, and its page."""

import pytest

from benchmarks._lib.tables import read_results
from benchmarks.scores import routing


def test_mixed_rows_are_many_of_all_languages_and_each_in_one_half():
    tuned, aside = (routing.mixed_rows(aside) for aside in (False, True))
    texts = [text for _, _, text in (*tuned, *aside)]
    assert len(texts) == len(set(texts)) >= 300
    for rows in (tuned, aside):
        assert {language for language, _, _ in rows} == set(routing.CODES)
        assert min(sum(row[0] == code for row in rows) for code in routing.CODES) > 30


def test_shares_are_by_language():
    labels = ["en", "en", "ko", "ja", "zh"]
    assert routing.shares(["en", "ko", "ko", None, "zh"], labels) == {
        "en": 0.5,
        "ko": 1.0,
        "ja": 0.0,
        "zh": 1.0,
    }


def test_kinds_count_rows_of_all_languages():
    rows = [("en", "chat", "lol"), ("ko", "chat", "ㅋㅋ"), ("ko", "name", "이")]
    assert routing.by_kind(rows, ["en", "en", "ko"]) == {"chat": [1, 2], "name": [1, 1]}


def test_packages_that_are_not_installed_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr(routing, "find_spec", lambda name: None)
    assert list(routing.detectors()) == [routing.OURS]
    results = read_results("routing")
    for part in (*results["right"].values(), results["kinds"], results["speed"]):
        for name in routing.PEERS:
            part.pop(name, None)
    (page,) = routing.pages({**results, "absent": list(routing.PEERS)}).values()
    assert "py3langid was not installed and is absent. lingua was not installed" in page
    assert "- lingua" not in page


def test_the_package_is_behind_no_other_on_any_language():
    for part in read_results("routing")["right"].values():
        for name in routing.PEERS:
            for code in routing.CODES:
                assert part[routing.OURS][code] >= part[name][code]


@pytest.mark.parametrize("name", routing.PEERS)
def test_packages_return_codes(name):
    pytest.importorskip(name)
    detect = routing.detectors()[name]
    assert detect(["Good morning", "안녕하세요", "おはようございます", "你好吗"]) == [
        *routing.CODES
    ]
