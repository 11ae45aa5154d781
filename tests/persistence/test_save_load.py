"""Saved models: what comes back, and what cannot be saved."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualRetriever,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from tests.persistence.common import (
    MIXED,
    ONE_EPOCH,
    X,
    Y,
    aligner,
    assert_same_parameters,
    assert_same_report,
    manifest_of,
    there_and_back,
)
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, EnglishOnly, ToyEncoder

SYSTEMS = {
    "identity": {"method": "identity"},
    "centre": {"method": "centre"},
    "scale": {"method": "scale"},
    "ridge": {},
    "grid": {"alpha": (0.1, 1.0)},
    "procrustes": {"method": "procrustes"},
    "spectral": {"method": "spectral", "alpha": np.array([1.0, 10.0])},
    "auto": {"method": "auto", "alpha": "auto"},
    "contrastive": {"method": "contrastive", "adapter_params": ONE_EPOCH},
    "perceptron": {"method": "contrastive", "adapter_dim": 5, "adapter_params": ONE_EPOCH},
    "mse": {"method": "mse", "adapter_params": ONE_EPOCH},
    "autoencoder": {"method": "autoencoder", "adapter_params": ONE_EPOCH},
    "target": {"output_space": "target"},
    "shared": {"output_space": "shared", "method": "spectral"},
    "shared adapter": {
        "output_space": "shared",
        "method": "contrastive",
        "adapter_params": ONE_EPOCH,
    },
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("system", SYSTEMS)
def test_round_trip_of_an_aligner(system, tmp_path):
    fitted = aligner(**SYSTEMS[system])
    again = there_and_back(fitted, tmp_path, encoder=fitted.encoder)
    moved = fitted.transform(MIXED)
    assert_array_equal(again.transform(MIXED), moved)
    assert_array_equal(again.inverse_transform(moved), fitted.inverse_transform(moved))
    assert again.score(PAIRS) == fitted.score(PAIRS)
    assert_array_equal(again.quality_score(KOREAN[:9]), fitted.quality_score(KOREAN[:9]))
    assert again.method_ == fitted.method_
    assert_same_parameters(again, fitted)
    assert_same_report(again.alignment_report_, fitted.alignment_report_)
    rows = fitted.encoder.encode(KOREAN[:7]).astype(np.float64)
    assert_array_equal(again.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize("bridge_method", ["spectral", "mse"])
def test_round_trip_of_a_bridge(bridge_method, tmp_path):
    parameters = {"bridge_method": bridge_method, "adapter_params": ONE_EPOCH}
    fitted = aligner(english_encoder=EnglishOnly(), **parameters)
    objects = {"encoder": fitted.encoder, "english_encoder": fitted.english_encoder}
    again = there_and_back(fitted, tmp_path, **objects)
    moved = fitted.transform(MIXED)
    assert moved.shape[1] == 7
    assert_array_equal(again.transform(MIXED), moved)
    assert_array_equal(again.inverse_transform(moved), fitted.inverse_transform(moved))
    assert_same_report(again.alignment_report_, fitted.alignment_report_)
    for missing in objects:
        some = {name: value for name, value in objects.items() if name != missing}
        with pytest.raises(ValueError, match=rf"built with an object as {missing}.*load\(\.\.\., "):
            load(tmp_path, **some)


def test_round_trip_of_several_languages(tmp_path):
    pairs = PAIRS + list(zip(JAPANESE, ENGLISH, strict=True))
    fitted = aligner(pairs, target_lang=["ko", "ja"])
    again = there_and_back(fitted, tmp_path, encoder=fitted.encoder)
    mixed = [*MIXED, *JAPANESE[:4]]
    moved = fitted.transform(mixed)
    assert_array_equal(again.transform(mixed), moved)
    for language in ("ko", "ja"):
        back = [e.inverse_transform(moved, target_lang=language) for e in (again, fitted)]
        assert_array_equal(*back)
    assert_same_parameters(again, fitted)
    assert "en" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("method", ["ridge", "contrastive"])
def test_round_trip_of_a_fit_on_embeddings(method, tmp_path):
    fitted = CrossLingualAligner(method=method, adapter_params=ONE_EPOCH, random_state=0).fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    assert again.n_features_in_ == 6
    assert_array_equal(again.transform(X), fitted.transform(X))
    assert_array_equal(again.inverse_transform(Y), fitted.inverse_transform(Y))
    assert_array_equal(again.quality_score(X), fitted.quality_score(X))
    assert again.score(X, Y) == fitted.score(X, Y)
    assert_same_parameters(again, fitted)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"method": "identity"},
        {"method": "centre"},
        {"method": "scale"},
        {"shared": True},
        {"method": "procrustes", "match_scale": True},
    ],
)
def test_round_trip_of_a_linear_aligner(parameters, dtype, tmp_path):
    A, B = X.astype(dtype), Y.astype(dtype)
    fitted = LinearAligner(**parameters).fit(A, B)
    again = there_and_back(fitted, tmp_path)
    for name in ("transform", "inverse_transform", "transform_counterparts"):
        assert_array_equal(getattr(again, name)(A), getattr(fitted, name)(A))
    assert again.score(A, B) == fitted.score(A, B)
    assert_same_parameters(again, fitted)
    assert vars(again).keys() == vars(fitted).keys()
    for name in ("coef_", "inverse_coef_"):
        assert getattr(again, name).dtype == getattr(fitted, name).dtype.newbyteorder("=")


@pytest.mark.parametrize("parameters", [{}, {"adapter_dim": 0}, {"shared": True}])
def test_round_trip_of_an_adapter(parameters, tmp_path):
    fitted = AdapterAligner(**parameters, max_epochs=1, random_state=0).fit(X, Y)
    again = there_and_back(fitted, tmp_path)
    for name in ("transform", "inverse_transform", "transform_counterparts"):
        assert_array_equal(getattr(again, name)(X), getattr(fitted, name)(X))
    assert again.score(X, Y) == fitted.score(X, Y)
    assert_same_parameters(again, fitted)
    assert again.history_ == fitted.history_
    again.partial_fit(X, Y).set_params(warm_start=True).fit(X, Y)


@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_round_trip_of_a_retriever_of_texts(scoring, tmp_path):
    fitted = aligner()
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=3)
    retriever.fit(ENGLISH[:50], query_bank=KOREAN).remove([7])
    with pytest.raises(ValueError, match="built with an object as encoder"):
        there_and_back(retriever, tmp_path)
    again = there_and_back(retriever, tmp_path, encoder=fitted.encoder)
    assert type(again.aligner_) is FrozenEstimator
    assert again.aligner is again.aligner_
    assert again.search(KOREAN[:9]).equals(retriever.search(KOREAN[:9]))
    assert again.documents_ == retriever.documents_
    assert_same_parameters(again, retriever, without=["aligner"])
    assert_same_parameters(again.aligner_.estimator, fitted)
    assert again.add([ENGLISH[77]]).search(KOREAN[77], 1)["text"].tolist() == [ENGLISH[77]]
    assert "49 documents" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("backend", ["exact", "faiss", "hnswlib"])
def test_round_trip_of_a_retriever_of_embeddings(backend, tmp_path):
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    map_ = FrozenEstimator(LinearAligner("procrustes").fit(X, Y))
    for moved_by in (map_, None):
        retriever = CrossLingualRetriever(moved_by, backend=backend).fit(Y, ids=list(range(7, 87)))
        again = there_and_back(retriever, tmp_path)
        assert (again.aligner_ is None) == (moved_by is None)
        for ours, theirs in zip(again.kneighbors(X, 4), retriever.kneighbors(X, 4), strict=True):
            assert_array_equal(ours, theirs)
        assert again.ids_ == retriever.ids_
        assert_same_parameters(again, retriever, without=["aligner"])


def test_encoders_are_kept_by_name(tmp_path):
    handle = SentenceEncoder("use-multilingual", normalize=True)
    fitted = aligner(encoder=handle, english_encoder=handle)
    again = there_and_back(fitted, tmp_path)
    assert repr(again.encoder) == repr(handle)
    with pytest.raises(
        ValueError, match=r"not built with an object as encoder: leave encoder= out"
    ):
        load(tmp_path, encoder=ToyEncoder())
    assert_array_equal(again.transform(MIXED), fitted.transform(MIXED))
    assert "- multilingual encoder: `use-multilingual`" in (tmp_path / "README.md").read_text()


def test_a_fitted_transformer_and_detect_are_passed_again(tmp_path):
    english = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0)).fit(ENGLISH)

    def detect(texts):
        return ["en" if text.isascii() else "ko" for text in texts]

    fitted = aligner(english_encoder=english, detect=detect)
    save(fitted, tmp_path)
    assert manifest_of(tmp_path)["given"] == ["detect", "encoder", "english_encoder"]
    objects = {"encoder": ToyEncoder(), "english_encoder": english}
    with pytest.raises(ValueError, match=r"an object as detect.*pass load\(\.\.\., detect=\)"):
        load(tmp_path, **objects)
    again = load(tmp_path, **objects, detect=detect)
    assert again.detect is detect
    assert_array_equal(again.transform(MIXED), fitted.transform(MIXED))


def test_what_is_no_model_of_this_package(tmp_path):
    for estimator in (LogisticRegression(), aligner().freeze(), object(), LinearAligner):
        with pytest.raises(TypeError, match=r"save takes one of CrossLingualAligner.*got "):
            save(estimator, tmp_path / "never-made")
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        save(LinearAligner(), tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()


def test_identifiers_of_tuples(tmp_path):
    retriever = CrossLingualRetriever().fit(Y, ids=[(i, str(i)) for i in range(80)])
    again = there_and_back(retriever, tmp_path)
    assert again.search(Y[:3], 1)["id"].tolist() == [(0, "0"), (1, "1"), (2, "2")]


@pytest.mark.slow
def test_a_model_of_the_default_encoder_is_small(tmp_path):
    fitted = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    again = there_and_back(fitted, tmp_path)
    assert_array_equal(again.transform(["좋은 아침"]), fitted.transform(["좋은 아침"]))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 250_000


def test_no_model(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere", str(tmp_path)):
        with pytest.raises(
            FileNotFoundError, match=r"holds no model, which langalign_sk\.save makes"
        ):
            load(folder)


_NO_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "skorch"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
import numpy as np
from langalign_sk import load
for folder in sys.argv[2:]:
    X = np.load(sys.argv[1])
    np.save(folder + "/moved.npy", load(folder).transform(X))
"""


@pytest.mark.slow
def test_adapters_are_loaded_without_torch(models, tmp_path):
    made = models["contrastive"], models["adapter"]
    np.save(tmp_path / "X.npy", X)
    folders = [str(tmp_path / str(i)) for i in range(2)]
    for model, folder in zip(made, folders, strict=True):
        save(model, folder)
    command = [sys.executable, "-c", _NO_TORCH, str(tmp_path / "X.npy"), *folders]
    subprocess.run(command, check=True)
    for model, folder in zip(made, folders, strict=True):
        assert_array_equal(np.load(folder + "/moved.npy"), model.transform(X))
