"""The model card: what is generated, and what a person wrote."""

from __future__ import annotations

import re

import pytest

from langalign_sk import (
    LinearAligner,
    load,
    save,
)
from tests.persistence.common import BEGIN, END, X, Y, aligner, classifier, there_and_back
from tests.toy import ENGLISH, JAPANESE, PAIRS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_the_model_card(tmp_path):
    fitted = aligner(PAIRS, target_lang="ko", method="ridge")
    save(fitted, tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: langalign-sk\n")
    assert 'language: ["ko", "en"]\n' in card
    assert "# CrossLingualAligner\n" in card
    assert "- multilingual encoder: an object of the class `ToyEncoder`" in card
    assert "- method: ridge" in card
    assert str(fitted.alignment_report_) in card
    save(LinearAligner().fit(X, Y), tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# LinearAligner\n" in card
    assert "language:" not in card
    assert "Held-out" not in card


def test_the_model_card_of_a_classifier(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    fitted = classifier()
    fitted.temperature_ = 0.51234
    save(fitted, tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    facts = "- languages: ko, en\n- multilingual encoder: `use-multilingual`\n- method: ridge\n"
    assert facts in card
    facts = "- head: `LogisticRegression`\n- classes: 3\n"
    assert facts + "- calibration: temperature, at a temperature of 0.512\n" in card
    assert str(fitted.aligner_.estimator.alignment_report_) in card
    save(classifier(calibration="none"), tmp_path)
    assert facts + "- calibration: none\n" in (tmp_path / "README.md").read_text(encoding="utf-8")


def generated(folder):
    """What stands between the markers of a card."""
    text = (folder / "README.md").read_bytes().decode("utf-8", "replace")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def test_saving_again_keeps_what_a_person_wrote(tmp_path):
    path = tmp_path / "mine" / "README.md"
    save(aligner(), tmp_path / "mine")
    text = path.read_text(encoding="utf-8")
    text = text.replace("license: unknown", "license: cc-by-4.0\ndatasets: [mine]")
    path.write_text(text.replace(BEGIN, "Before.\n\n" + BEGIN) + "\nAfter. {x}\n", encoding="utf-8")
    other = aligner(target_lang="ja", pairs=list(zip(JAPANESE, ENGLISH, strict=True)))
    save(other, tmp_path / "mine")
    save(other, tmp_path / "new")
    assert path.read_text(encoding="utf-8") == (
        "---\nlibrary_name: langalign-sk\n"
        "tags: [cross-lingual, sentence-embeddings, scikit-learn]\n"
        'language: ["ja", "en"]\n'
        "license: cc-by-4.0\ndatasets: [mine]\n---\n\n"
        f"Before.\n\n{BEGIN}{generated(tmp_path / 'new')}{END}\n\nAfter. {{x}}\n"
    )
    assert "- languages: ja, en\n" in generated(tmp_path / "mine")
    there_and_back(other, tmp_path / "mine", encoder=other.encoder)


def test_languages_of_the_front_matter_follow_the_model(tmp_path):
    linear, path = LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path / "README.md"
    models_and_lines = [(linear, []), (aligner(), ['language: ["ko", "en"]']), (linear, [])]
    for model, lines in models_and_lines:
        save(model, tmp_path)
        text = path.read_text(encoding="utf-8")
        assert re.findall("^language:.*$", text, re.MULTILINE) == lines
    mine = "license: mit\nlanguage: [ko]\n"
    path.write_text(text.replace("license: unknown\n", mine), encoding="utf-8")
    for model in (aligner(), linear):
        save(model, tmp_path)
        text = path.read_text(encoding="utf-8")
        assert re.findall("^language:.*$", text, re.MULTILINE) == ["language: [ko]"]
        assert mine in text


@pytest.mark.parametrize(
    "mine",
    [
        b"# My project\n",
        b"# My project",
        b"---\r\nlicense: mit\r\n---\r\n\r\n# Mine\r\n  \r\n",
        "한국어 \ufeff 日本語\n".encode("utf-16"),
        b"\xff\x00 no text\n",
        f"{BEGIN}\nof which the end was lost\n".encode(),
        f"{END}\nof which the begin was lost: {BEGIN}\n".encode(),
    ],
)
def test_a_readme_of_somebody_else_gets_the_part_at_its_end(mine, tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(mine)
    for alpha in (1.0, 2.0, 3.0):
        save(LinearAligner("ridge", alpha=alpha).fit(X, Y), tmp_path)
        text = path.read_bytes()
        assert text.startswith(mine)
        rest = text[len(mine) :].decode()
        assert rest.strip().startswith(BEGIN)
        assert rest.endswith(END + "\n")
        assert (rest.count(BEGIN), rest.count(END)) == (1, 1)
        assert "# LinearAligner\n" in rest
        assert load(tmp_path).alpha == alpha


def test_an_empty_readme_is_none(tmp_path):
    fitted = aligner()
    for folder in ("empty", "new"):
        (tmp_path / folder).mkdir()
    (tmp_path / "empty" / "README.md").write_text("\n")
    for folder in ("empty", "new"):
        save(fitted, tmp_path / folder)
    empty, new = ((tmp_path / name / "README.md").read_bytes() for name in ("empty", "new"))
    assert empty == new


def test_a_readme_that_cannot_be_read_stops_the_save_at_its_start(tmp_path):
    (tmp_path / "README.md").mkdir()
    with pytest.raises(OSError, match=r"README\.md"):
        save(LinearAligner().fit(X, Y), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
