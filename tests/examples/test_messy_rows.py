"""The example of messy rows: what the guide prints is what the example answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.scripts import example_script

_GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "text.rst"


@pytest.fixture(scope="module")
def example():
    return example_script("messy_rows")


def test_the_export_is_read_and_cleaned(example, tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(example.EXPORT, encoding="utf-8")
    pairs, dropped = example.read_pairs(path)
    assert pairs.source[0] == "Where can I check delivery & refunds?"
    assert pairs.n_pairs == 4
    assert dropped == {"kept": 4, "empty": 1, "duplicate": 1, "untranslated": 1, "unescaped": 1}
    if _GUIDE.is_file():
        assert f"4 pairs: {dropped}" in _GUIDE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_row_is_answered_as_the_guide_says(example):
    with pytest.warns(UserWarning, match="1 of 10 rows is in no declared language"):
        table = example.answer(example.train(), example.ROWS)
    assert table["language"].tolist() == ["en", "en", "ko", "ko", "ko", "ja", "ja", "-", "-", "-"]
    card, password = "lost_card", "forgotten_password"
    assert table["answer"].tolist()[:7] == [card] * 4 + [password, card, password]
    if _GUIDE.is_file():
        guide = _GUIDE.read_text(encoding="utf-8")
        assert all(line in guide for line in table.to_string().splitlines())
