"""Tests of the comparison with the model that an encoder met before."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import FolderCache
from langalign_sk.encoders.models import registry
from langalign_sk.encoders.models.model import folder_identity, sampled_identity
from tests.encoders.toy import (
    PAIRS,
    TEXTS,
    aligner,
    assert_rows_close,
    bert,
    messages,
    pickled,
    replace,
)
from tests.toy import ENGLISH, KOREAN


def test_clone_of_a_used_encoder_forgets_its_model(tiny):
    encoder = SentenceEncoder(str(tiny))
    encoder.load()
    assert encoder._seen is not None
    assert clone(encoder)._seen is None


def test_pickle_is_small_and_remembers_its_model(copied, mean_rows, monkeypatch):
    data = pickled(copied)
    assert len(data) < 2000
    monkeypatch.setattr(registry, "_models", {})
    encoder = pickle.loads(data)
    assert not registry._models
    assert encoder._seen[-2:] == (folder_identity(str(copied)), 16)
    assert messages(lambda: encoder.load()) == []
    assert_rows_close(encoder.encode(TEXTS), mean_rows(TEXTS))


def older(encoder):
    """Encoder of a pickle of an earlier release, which knew no layers."""
    state = dict(encoder.__getstate__())
    seen, *others = state["_seen"]
    state["_seen"] = ({k: v for k, v in seen.items() if k != "layer"}, *others)
    del state["layer"]
    out = SentenceEncoder.__new__(SentenceEncoder)
    out.__setstate__(state)
    return out


def test_pickle_without_layers_works_as_before(copied, mean_rows):
    encoder = SentenceEncoder(str(copied))
    encoder.load()
    again = older(encoder)
    assert again.layer is None
    assert again == encoder
    assert repr(again) == repr(encoder)
    assert clone(again) == encoder
    assert messages(again.load) == []
    assert_rows_close(again.encode(TEXTS), mean_rows(TEXTS))


@pytest.mark.parametrize("width", [16, 20])
def test_pickle_without_layers_still_compares_its_model(copied, monkeypatch, width):
    encoder = SentenceEncoder(str(copied))
    encoder.load()
    again = older(encoder)
    replace(copied, monkeypatch, seed=1, width=width)
    if width == 16:
        (told,) = messages(again.load)
        assert "when it was saved, and is" in told
    else:
        with pytest.raises(ValueError, match=r"width 16 when it was saved .* width 20 now"):
            again.load()


def test_another_layer_is_not_compared(copied, monkeypatch):
    encoder = SentenceEncoder(str(copied))
    encoder.load()
    replace(copied, monkeypatch, seed=1)
    assert messages(lambda: encoder.set_params(layer=1).load()) == []


def test_unused_encoder_remembers_nothing(copied, monkeypatch):
    data = pickle.dumps(SentenceEncoder(str(copied)))
    replace(copied, monkeypatch, width=20)
    assert messages(lambda: pickle.loads(data).load()) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda encoder: encoder.load(),
        lambda encoder: encoder.encode(TEXTS),
        lambda encoder: encoder.encode([]),
        lambda encoder: encoder.transform(TEXTS),
        lambda encoder: encoder.get_feature_names_out(),
        lambda encoder: next(encoder.encode_iter(TEXTS)),
    ],
)
def test_model_of_another_width_is_refused(copied, monkeypatch, use):
    data, before = pickled(copied), folder_identity(str(copied))
    replace(copied, monkeypatch, width=20)
    encoder = pickle.loads(data)
    for _ in range(2):
        with pytest.raises(ValueError, match="returned rows of width 16 when it was") as raised:
            use(encoder)
        for part in (str(copied), before, "width 20 now", folder_identity(str(copied))):
            assert part in str(raised.value)
        assert "Put the former model back, or fit again" in str(raised.value)


def test_other_weights_are_warned_of_once(copied, monkeypatch):
    data, before = pickled(copied), folder_identity(str(copied))
    replace(copied, monkeypatch, seed=1)
    encoder = pickle.loads(data)
    (told,) = messages(lambda: [encoder.transform(TEXTS), encoder.encode(TEXTS), encoder.load()])
    after = folder_identity(str(copied))
    assert f"was {before} when it was saved, and is {after} now" in told
    assert "Pin it with revision=, or fit again" in told
    assert messages(lambda: pickle.loads(pickle.dumps(encoder)).load()) == []


def test_encoder_of_another_width_may_be_fitted_again(copied, monkeypatch):
    data = pickled(copied)
    replace(copied, monkeypatch, width=20)
    assert pickle.loads(data).fit(TEXTS).transform(TEXTS).shape == (5, 20)


def test_used_encoder_may_be_given_another_name(tiny):
    encoder = SentenceEncoder()
    encoder.load()
    encoder.set_params(name=str(tiny))
    assert encoder.encode(TEXTS).shape == (5, 16)


def test_another_name_is_not_compared(tiny, copied):
    bert(copied, seed=1)
    encoder = SentenceEncoder(str(tiny))
    encoder.load()
    assert messages(lambda: encoder.set_params(name=str(copied)).load()) == []


HANDLES = pytest.mark.parametrize("handle", [str, lambda path: SentenceEncoder(str(path))])


@HANDLES
def test_pickled_aligner_of_another_width_is_refused(copied, monkeypatch, handle):
    data, before = pickle.dumps(aligner(handle(copied)).fit(PAIRS)), str(copied)
    replace(copied, monkeypatch, width=20)
    loaded = pickle.loads(data)
    for texts in (KOREAN[:3], ENGLISH[:3]):
        with pytest.raises(
            ValueError, match=r"width 16 when it was saved .* width 20 now"
        ) as raised:
            loaded.transform(texts)
        assert before in str(raised.value)
    assert clone(loaded).fit(PAIRS).transform(KOREAN[:3]).shape == (3, 20)


@HANDLES
def test_pickled_aligner_with_other_weights_warns(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    before = folder_identity(str(copied))
    assert messages(lambda: pickle.loads(data).transform(KOREAN[:3])) == []
    replace(copied, monkeypatch, seed=1)
    loaded = pickle.loads(data)
    (told,) = messages(lambda: loaded.transform([KOREAN[0], ENGLISH[0]]))
    after = folder_identity(str(copied))
    assert f"was {before} when it was saved, and is {after} now" in told
    assert "Pin it with revision=, or fit again" in told
    assert messages(lambda: loaded.fit(PAIRS).transform(KOREAN[:3])) == []


@HANDLES
def test_pickled_aligner_warns_once(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    replace(copied, monkeypatch, seed=1)
    loaded = pickle.loads(data)
    assert len(messages(lambda: [loaded.transform(KOREAN[:3]) for _ in range(3)])) == 1


@HANDLES
def test_pickled_aligner_may_be_fitted_again(copied, monkeypatch, handle):
    data = pickle.dumps(aligner(handle(copied)).fit(PAIRS))
    replace(copied, monkeypatch, width=20)
    assert pickle.loads(data).fit(PAIRS).transform(KOREAN[:3]).shape == (3, 20)


def as_saved_before(folder, state):
    """State with the identity that earlier releases gave to a folder."""
    seen, identity, width = state
    assert identity == folder_identity(str(folder))
    return seen, sampled_identity(str(folder)), width


def test_a_pickle_of_an_earlier_release_does_not_warn(copied, monkeypatch):
    encoder = SentenceEncoder(str(copied))
    encoder.load()
    encoder._seen = as_saved_before(copied, encoder._seen)
    data = pickle.dumps(encoder)
    again = pickle.loads(data)
    assert messages(again.load) == []
    assert again._seen[1] == folder_identity(str(copied))
    replace(copied, monkeypatch, seed=1)
    (told,) = messages(pickle.loads(data).load)
    assert f"is {folder_identity(str(copied))} now" in told


@HANDLES
def test_an_aligner_of_an_earlier_release_does_not_warn(copied, monkeypatch, handle):
    fitted = aligner(handle(copied)).fit(PAIRS)
    fitted._models_seen = tuple(as_saved_before(copied, seen) for seen in fitted._models_seen)
    data = pickle.dumps(fitted)
    assert messages(lambda: pickle.loads(data).transform([KOREAN[0], ENGLISH[0]])) == []
    replace(copied, monkeypatch, seed=1)
    loaded = pickle.loads(data)
    assert len(messages(lambda: loaded.transform([KOREAN[0], ENGLISH[0]]))) == 1


def test_rows_of_an_earlier_release_are_not_taken(copied, tmp_path):
    """A cache holds them by an identity that other weights have too."""
    cache = FolderCache(tmp_path / "rows")
    encoder = SentenceEncoder(str(copied), cache=cache)
    old = f"{sampled_identity(str(copied))} "
    wrong = np.full((1, 16), 9, dtype=np.float32)
    cache.rows(old.strip(), TEXTS[:1], 16, lambda texts: wrong, 1)
    assert not np.array_equal(encoder.encode(TEXTS[:1]), wrong)
    assert len(cache.info()) == 2
