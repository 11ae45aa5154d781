"""Tests of folders of model2vec."""

import numpy as np
import pytest

from langalign_sk import SentenceEncoder
from tests.encoders.toy import TEXTS, WORDS, assert_rows_close, hide


@pytest.fixture(params=["with modules", "without modules"])
def static(request, tmp_path):
    """Makes a folder and the model in it."""
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    def make(**parameters):
        words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        vectors = np.random.default_rng(0).normal(size=(len(words), 6)).astype(np.float32)
        model = model2vec.StaticModel(
            vectors, tokenizer, config={"model_type": "model2vec"}, **parameters
        )
        folder = tmp_path / "static"
        model.save_pretrained(folder)
        assert (folder / "modules.json").is_file()
        if request.param == "without modules":
            (folder / "modules.json").unlink()
        return str(folder), model

    make.has_modules = request.param == "with modules"
    return make


def test_static_vectors_are_those_of_model2vec(static):
    folder, model = static(normalize=False)
    rows = SentenceEncoder(folder, device="cpu").encode(TEXTS)
    assert (rows.shape, rows.dtype) == ((5, 6), np.float32)
    assert_rows_close(rows, model.encode(TEXTS))
    prompted = SentenceEncoder(folder, prompt="rain ").encode(["the cat"])
    assert_rows_close(prompted, model.encode(["rain the cat"]))


def test_static_vectors_that_model2vec_normalizes(static):
    folder, model = static(normalize=True)
    rows = SentenceEncoder(folder, device="cpu").encode(TEXTS)
    assert_rows_close(rows, model.encode(TEXTS))


def test_static_vectors_of_a_device(static):
    folder, _ = static()
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        SentenceEncoder(folder, device="no-such-device").load()
    assert "no-such-device" in str(raised.value)


def test_static_vectors_have_no_pooling(static):
    folder, _ = static()
    with pytest.raises(
        ValueError, match="it has no pooling to change; leave pooling=None"
    ) as raised:
        SentenceEncoder(folder, pooling="cls").load()
    assert repr(folder) in str(raised.value)


def test_static_vectors_of_the_first_tokens(static):
    folder, _ = static()
    text, start = "rain fell all day", "rain fell all"
    whole = SentenceEncoder(folder).encode([text, start])
    with pytest.warns(UserWarning, match="reads the first 3 tokens .* row 0, the first begins"):
        cut = SentenceEncoder(folder, max_length=3).encode([text, start])
    assert_rows_close(cut, whole[[1, 1]])


def test_missing_model2vec_is_named(static, monkeypatch, no_models):
    folder, _ = static()
    hide(monkeypatch, "model2vec")
    if static.has_modules:  # sentence-transformers reads these itself
        assert SentenceEncoder(folder).encode(TEXTS).shape == (5, 6)
        return
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[model2vec\]"') as raised:
        SentenceEncoder(folder).load()
    assert repr(folder) in str(raised.value)
