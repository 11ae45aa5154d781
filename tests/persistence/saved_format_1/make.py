"""Make the saved models of format 1, which every later release must load.

To be run by hand, from the root of the repository, and never again once a release has written
format 1: the files stand for those that users have. A new format gets a folder of its own.

    python -m tests.persistence.saved_format_1.make
"""

from __future__ import annotations

import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualRetriever,
    LinearAligner,
    save,
)
from langalign_sk.classifier import AlignedClassifier

FOLDERS = (
    "aligner",
    "aligner_of_embeddings",
    "linear",
    "adapter",
    "retriever",
    "pipeline",
    "classifier",
)
JOBLIB = "pipeline.joblib"
ENGLISH = [
    "I have lost my card.",
    "My card was stolen yesterday.",
    "How do I send money abroad?",
    "The transfer has not arrived.",
    "I forgot my password.",
    "The app does not let me log in.",
]
SUBJECTS = ["card", "card", "transfer", "transfer", "login", "login"]
KOREAN = [
    "카드를 잃어버렸어요.",
    "어제 카드를 도난당했어요.",
    "해외로 어떻게 송금하나요?",
    "이체한 돈이 도착하지 않았어요.",
    "비밀번호를 잊어버렸어요.",
    "앱에 로그인이 안 돼요.",
]


def given():
    """What the models are fitted on and asked."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    Y = (X @ turn + 0.3 * rng.normal(size=X.shape)).astype(np.float32)
    return {"X": X, "Y": Y, "texts": np.array(KOREAN + ENGLISH[:2])}


def models(X, Y):
    """One small model a name; maps of 512 dimensions are the identity, which needs no room."""
    classes = np.array(["a", "b", "c"])[Y[:, :3].argmax(axis=1)]
    text = CrossLingualAligner("ko", method="identity", random_state=0)
    rows = CrossLingualAligner("ko", method="ridge", alpha=1.0, random_state=0)
    few = clone(text).fit(ENGLISH, parallel=(KOREAN, ENGLISH))
    frozen = rows.fit(X, Y).freeze()
    head = LogisticRegression().fit(Y, classes)
    retriever = CrossLingualRetriever(few.freeze(), scoring="csls", n_neighbors=2)
    classifier = AlignedClassifier(
        head, frozen, calibration="temperature+prior_shift", class_prior=[1.0, 1.0, 1.0]
    )
    return {
        "aligner": clone(text).fit(ENGLISH),
        "aligner_of_embeddings": rows,
        "linear": LinearAligner("spectral", alpha=1.0).fit(X, Y),
        "adapter": AdapterAligner(adapter_dim=4, max_epochs=2, random_state=0).fit(X, Y),
        "retriever": retriever.fit(ENGLISH, query_bank=KOREAN),
        "pipeline": make_pipeline(frozen, LogisticRegression()).fit(X, classes),
        "classifier": classifier.fit(X, classes),
        JOBLIB: make_pipeline(text, LogisticRegression(C=10)).fit(ENGLISH, SUBJECTS),
    }


def answers(name, model, X, texts):
    """What a model says to the inputs, as arrays by name."""
    rows = texts.tolist() if name in ("aligner", "retriever", JOBLIB) else X
    if name == "retriever":
        distances, places = model.kneighbors(rows, 2)
        return {"distances": distances, "places": places, "documents": np.array(model.documents_)}
    if hasattr(model, "predict_proba"):
        return {"classes": model.predict(rows), "probabilities": model.predict_proba(rows)}
    moved = model.transform(rows)
    out = {"moved": moved, "back": model.inverse_transform(moved)}
    if hasattr(model, "quality_score"):
        out["quality"] = model.quality_score(rows)
    return out


if __name__ == "__main__":
    here, arrays = Path(__file__).parent, given()
    expected = {**arrays, "sklearn": np.array(sklearn.__version__)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few pairs and rows
        made = models(arrays["X"], arrays["Y"])
    for name, model in made.items():
        if name == JOBLIB:
            joblib.dump(model, here / name, compress=9)
        else:
            save(model, here / name)
        for key, value in answers(name, model, arrays["X"], arrays["texts"]).items():
            expected[f"{name}/{key}"] = value
    np.savez_compressed(here / "expected.npz", **expected)
