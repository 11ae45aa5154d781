"""Costs of the classifier: its fit without encoding, its rate of answers, and its size."""

import pickle
import statistics

from langalign_sk import CrossLingualClassifier, SentenceEncoder

from .._lib.data import SEED
from .._lib.machine import blas_threads
from .._lib.timing import in_turns, ratio
from .methods import aligner
from .tasks import GapTask

TURNS = 3
TEXTS = 1_000  # that are answered
MEGABYTE = 1e6


def measure(task: GapTask) -> dict[str, float]:
    """Seconds of a fit with encoded rows, rate of answers over that of the encoder, megabytes."""
    kept = [SentenceEncoder(name) for name in ("use-multilingual", "minilm-english")]
    model = CrossLingualClassifier(aligner(task, *kept), random_state=SEED)
    model.fit(*task.train)  # rows are encoded, and stay in memory
    fits = in_turns({"fit": lambda: model.fit(*task.train)}, TURNS)["fit"]
    size = len(pickle.dumps(model))

    bare = SentenceEncoder("use-multilingual", cache=None)
    fresh = CrossLingualClassifier(aligner(task, bare, kept[1]), random_state=SEED)
    fresh.fit(*task.train)
    texts = [text for rows in task.tests.values() for text in rows.texts][:TEXTS]
    times = in_turns(
        {"encode": lambda: bare.encode(texts), "predict": lambda: fresh.predict(texts)}, TURNS
    )
    return {
        "rows": len(task.train.texts),
        "views": len(model.views_),
        "threads": blas_threads(),
        "fit_seconds": statistics.median(fits),
        "predict_rate_over_encoder": ratio(times["encode"], times["predict"]),
        "pickle_megabytes": size / MEGABYTE,
    }
