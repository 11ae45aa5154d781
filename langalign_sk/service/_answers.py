"""Answers to batches of texts, row by row."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._utils.validation import shorten
from ._limits import ServiceLimits
from ._requests import check_row

__all__ = ["answer", "check_model", "predicted", "quality_scorer"]

_LOGGER = logging.getLogger(__name__)
_UNREADABLE = "could not be answered: the model failed on it."
_TOO_LATE = "was not answered in time."


def answer(
    model: Any,
    texts: Sequence[str],
    *,
    review_below: float = 0.05,
    limits: ServiceLimits | None = None,
    deadline: float | None = None,
) -> dict[str, list[Any]]:
    """Labels and quality scores of texts, with an error of its own for each row that has none.

    A row that the model fails on is found by halving the batch, so that the others are answered.

    Parameters
    ----------
    model : fitted estimator
        Has `predict`, and `quality_score` itself or in its first step, such as a Pipeline that
        begins with a :class:`~langalign_sk.CrossLingualAligner`.
    texts : sequence of str
        The rows.
    review_below : float, default=0.05
        Rows of a lower quality score are marked for a person. One in twenty of the rows that the
        model was made for is below the default.
    limits : ServiceLimits, default=None
        Limit of letters; None takes the defaults.
    deadline : float, default=None
        Value of ``time.monotonic()`` after which no more rows are begun.

    Returns
    -------
    dict of str to list
        Each list has an entry per row. "labels": str, or None for a row that has an error, is in no
        language of the model, or is like nothing that it has seen. "quality": float in [0, 1], 0
        for a row with an error. "review": bool, whether a person should look, as at
        every row with an error. "errors": str or None.

    Raises
    ------
    TypeError
        If `texts` is a single str.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.service import answer
    >>> class Greeter:
    ...     def predict(self, texts):
    ...         return np.array(["greeting" for _ in texts])
    ...
    ...     def quality_score(self, texts):
    ...         return np.array([0.5 for _ in texts])
    >>> out = answer(Greeter(), ["Good morning", " "])
    >>> out["labels"], out["errors"]
    (['greeting', None], [None, 'texts[1] is empty.'])
    """
    if isinstance(texts, str):
        raise TypeError(f"texts is a str, {shorten(repr(texts))}; pass a list of str.")
    limits = ServiceLimits() if limits is None else limits
    rows = [check_row(text, i, limits) for i, text in enumerate(texts)]
    errors = [error for _, error in rows]
    sound = [i for i, error in enumerate(errors) if error is None]
    labels: list[str | None] = [None] * len(rows)
    quality = [0.0] * len(rows)
    failures: Counter[str] = Counter()
    found = _answered(model, [rows[i][0] for i in sound], deadline, failures)
    for kind, n in failures.items():
        _LOGGER.error("The model failed on %d of %d rows: %s", n, len(rows), kind)
    for i, row in zip(sound, found, strict=True):
        if isinstance(row, str):
            errors[i] = f"texts[{i}] {row}"
        else:
            labels[i], quality[i] = row
    # A NumPy bool, which a threshold of NumPy makes, is not JSON.
    review = [
        bool(q < review_below or error is not None)
        for q, error in zip(quality, errors, strict=True)
    ]
    return {"labels": labels, "quality": quality, "review": review, "errors": errors}


def check_model(model: Any) -> None:
    """Raise TypeError for a model that cannot be served."""
    quality_scorer(model)
    if not hasattr(model, "predict"):
        raise TypeError(
            f"model is {type(model).__name__}, which has no predict. Serve a Pipeline that ends with "
            "a classifier."
        )


def quality_scorer(model: Any) -> Any:
    """The part of a model that has `quality_score`; TypeError if there is none."""
    if hasattr(model, "quality_score"):
        return model
    steps = getattr(model, "steps", None)
    if steps and hasattr(steps[0][1], "quality_score"):
        return steps[0][1]
    raise TypeError(
        f"model is {type(model).__name__}, which has no quality_score, and neither has its first "
        "step. Serve a Pipeline that begins with a CrossLingualAligner."
    )


def _answered(
    model: Any, texts: list[str], deadline: float | None, failures: Counter[str]
) -> list[tuple[str | None, float] | str]:
    """Label and quality of each row, or what happened to it; counts failures by their class."""
    if not texts:
        return []
    if deadline is not None and time.monotonic() > deadline:
        return [_TOO_LATE] * len(texts)
    try:
        return [*predicted(model, texts)]
    except Exception as error:
        if len(texts) == 1:
            # The message of the error may quote a client's text.
            failures[type(error).__name__] += 1
            _LOGGER.debug("The row that the model failed on", exc_info=error)
            return [_UNREADABLE]
    half = len(texts) // 2
    return [
        answered
        for part in (texts[:half], texts[half:])
        for answered in _answered(model, part, deadline, failures)
    ]


def predicted(model: Any, texts: list[str]) -> list[tuple[str | None, float]]:
    """Label and quality of each row; an error of the model is raised."""
    quality = [float(q) for q in quality_scorer(model).quality_score(texts)]
    if len(quality) != len(texts) or not all(map(math.isfinite, quality)):
        raise ValueError("quality_score did not return a finite number per row.")
    # A row of quality 0 is in another language, which `predict` would take for the best guess, or is
    # like nothing that the model has seen: it gets no label.
    known = [i for i, q in enumerate(quality) if q > 0]
    labels: list[str | None] = [None] * len(texts)
    if known:
        found = model.predict([texts[i] for i in known])
        if np.ndim(found) != 1:
            raise ValueError(
                f"predict returned an array of {np.ndim(found)} dimensions; serve a model with one "
                "label per row."
            )
        for i, label in zip(known, found, strict=True):
            labels[i] = None if label is None else str(label)
    return list(zip(labels, quality, strict=True))
