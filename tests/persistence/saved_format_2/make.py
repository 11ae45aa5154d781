"""Make the saved models and the saved index of format 2, which every later release must open.

To be run by hand, from the root of the repository, and never again once a release has written
format 2: the files stand for those that users have. A new format gets a folder of its own.

    python -m tests.persistence.saved_format_2.make
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, LinearAligner, save

INDEX = "index"  # that save_index wrote; the other folders are of save
FOLDERS = ("texts", "embeddings", INDEX)
PARAMETERS = {"scoring": "csls", "hub_neighbors": 4, "n_neighbors": 3}
ENGLISH = [
    "I have lost my card.",
    "My card was stolen yesterday.",
    "How do I send money abroad?",
    "The transfer has not arrived.",
    "I forgot my password.",
    "The app does not let me log in.",
]
KOREAN = [
    "카드를 잃어버렸어요.",
    "어제 카드를 도난당했어요.",
    "해외로 어떻게 송금하나요?",
    "이체한 돈이 도착하지 않았어요.",
    "비밀번호를 잊어버렸어요.",
    "앱에 로그인이 안 돼요.",
]


def given():
    """What the models are fitted on and asked: rows of two views of the same things, and texts."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60, 8)) + 0.5).astype(np.float32)
    Y = (X[:, :5] + 0.3 * rng.normal(size=(60, 5))).astype(np.float32)
    return {"X": X, "Y": Y, "texts": np.array(KOREAN + ENGLISH[:2])}


def models(X, Y):
    """One small model a name; maps of 512 dimensions are the identity, which needs no room."""
    views = [
        CrossLingualAligner("ko", method=method, random_state=0).fit(
            ENGLISH, parallel=(KOREAN, ENGLISH)
        )
        for method in ("identity", "centre")
    ]
    views = [view.freeze() for view in views]
    texts = CrossLingualRetriever(views, centre=True, fusion="rank", n_neighbors=3)
    moved = FrozenEstimator(LinearAligner("procrustes").fit(X, X[:, ::-1]))
    rows = CrossLingualRetriever([moved, None], centre=True, weights=[1.0, 2.0], **PARAMETERS)
    ids = [f"row {i}" if i % 2 else i for i in range(40)]
    return {
        "texts": texts.fit(ENGLISH, query_bank=KOREAN),
        "embeddings": rows.fit([X[:40], Y[:40]], ids=ids, query_bank=[X, Y]),
        INDEX: CrossLingualRetriever(centre=True, **PARAMETERS).fit(X[:40], query_bank=X),
    }


def answers(name, model, X, Y, texts):
    """What a model says to the inputs, as arrays by name; before and after more queries."""
    queries = {"texts": texts.tolist(), "embeddings": [X, Y], INDEX: X}[name]
    distances, places = model.kneighbors(queries, 3)
    later = model.partial_adapt(queries).kneighbors(queries, 3)
    return {
        "distances": distances,
        "places": places,
        "ids": np.array([str(key) for key in model.ids_]),
        "later_distances": later[0],
        "later_places": later[1],
    }


if __name__ == "__main__":
    here, arrays = Path(__file__).parent, given()
    expected = {**arrays}
    for name, model in models(arrays["X"], arrays["Y"]).items():
        if name == INDEX:
            model.save_index(here / name)
        else:
            save(model, here / name)
        for key, value in answers(name, model, **arrays).items():
            expected[f"{name}/{key}"] = value
    np.savez_compressed(here / "expected.npz", **expected)
