"""How many pairs are enough."""

from __future__ import annotations

import copy
import numbers
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state

from ..aligner import CrossLingualAligner
from ..aligner._route import encoders_of, read_rows, route_of, transform_pairs
from ..corpus._inputs import Pairs
from ..mapping._base import check_counterparts
from ..metrics._core import duplicate_groups, row_recall

__all__ = ["PairLearningCurve", "learning_curve"]


_MAX_TEST = 1_000
_DRAWS = 1_000


@dataclass(frozen=True)
class PairLearningCurve:
    """How an aligner gets better with more pairs.

    Attributes
    ----------
    n_pairs : ndarray of shape (n_sizes,), dtype int
        Numbers of pairs that were learned from.
    recall : ndarray of shape (n_sizes, n_repeats)
        Held-out recall at 1 of every fit.
    recall_interval : ndarray of shape (n_sizes, 2)
        Confidence interval of its mean over the repeats.
    recall_unaligned : float or None
        The same rows without alignment; None where the two sides differ in width.
    accuracy : ndarray of shape (n_sizes, n_repeats) or None
        Accuracy of the English-trained classifier on the target rows; None without such data.
    accuracy_interval : ndarray of shape (n_sizes, 2) or None
        Confidence interval of its mean.
    accuracy_unaligned : float or None
        The accuracy without alignment.
    n_test : int
        Held-out pairs; recall falls with their number.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.mapping import LinearAligner
    >>> from langalign_sk.model_selection import learning_curve
    >>> Y = np.random.default_rng(0).normal(size=(300, 8))
    >>> X = Y @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    >>> curve = learning_curve(LinearAligner("procrustes"), X, Y, random_state=0)
    >>> curve.to_frame().columns.tolist()[:4]
    ['n_pairs', 'recall', 'recall_low', 'recall_high']
    """

    n_pairs: NDArray[np.intp]
    recall: NDArray
    recall_interval: NDArray
    recall_unaligned: float | None
    accuracy: NDArray | None
    accuracy_interval: NDArray | None
    accuracy_unaligned: float | None
    n_test: int

    def to_frame(self) -> Any:
        """Table of the means and their intervals, one row a number of pairs.

        Returns
        -------
        pandas.DataFrame
            Columns n_pairs, recall, recall_low, recall_high, and the same of accuracy where it
            was measured.
        """
        import pandas as pd

        columns: dict[str, Any] = {"n_pairs": self.n_pairs}
        for name in ("recall", "accuracy"):
            values, interval = getattr(self, name), getattr(self, f"{name}_interval")
            if values is not None:
                columns[name] = values.mean(axis=1)
                columns[f"{name}_low"], columns[f"{name}_high"] = interval.T
        return pd.DataFrame(columns)


def learning_curve(
    aligner: Any,
    X: Any,
    y: Any = None,
    *,
    train_sizes: Sequence[int] | None = None,
    n_repeats: int = 5,
    classifier: Any = None,
    english: tuple[Any, Any] | None = None,
    target_dev: tuple[Any, Any] | None = None,
    confidence: float = 0.95,
    verbose: bool = False,
    random_state: Any = None,
) -> PairLearningCurve:
    """Fit an aligner on more and more pairs, and measure it on pairs that were held out.

    A fifth of the pairs, at most 1,000, is held out and the same for all fits; duplicates of
    held-out rows are never trained on. Every repeat shuffles the rest, and takes its first rows.

    Parameters
    ----------
    aligner : LinearAligner, AdapterAligner or CrossLingualAligner
        What to fit; clones of it are.
    X : array-like of shape (n_pairs, n_features), or pairs of text
        Embeddings to be moved. With a CrossLingualAligner of one language also pairs of text, as
        in its `fit`; every distinct text is then encoded once.
    y : array-like of shape (n_pairs, n_targets), default=None
        Embeddings of the counterparts; None for pairs of text.
    train_sizes : sequence of int, default=None
        Numbers of pairs. None doubles from 100 up to all that are not held out.
    n_repeats : int, default=5
        Fits of every size, on different pairs.
    classifier : scikit-learn classifier, default=None
        Head to be trained on `english` and scored on `target_dev`.
    english : (X, labels), default=None
        English rows of the kind of `y` (embeddings) or of text, with class labels.
    target_dev : (X, labels), default=None
        Target-language rows to score the head on. Use rows that no result is reported on.
    confidence : float, default=0.95
        Level of the intervals. They come from a bootstrap over repeats and held-out rows (Efron
        and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
    verbose : bool, default=False
        Show a progress bar over the fits.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out rows, the subsets and the bootstrap, and seeds the aligner if it has no
        `random_state` of its own. Pass an int for the same curve in every call.

    Returns
    -------
    PairLearningCurve
        Recall and accuracy for every number of pairs. After Ctrl-C, of those that were finished.

    Raises
    ------
    ValueError
        If there are fewer than 10 distinct pairs, if a size is out of range, or if only some of
        `classifier`, `english` and `target_dev` are given.

    See Also
    --------
    langalign_sk.inspection.PairLearningCurveDisplay : The plot.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.mapping import LinearAligner
    >>> from langalign_sk.model_selection import learning_curve
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.normal(size=(500, 16))
    >>> X = Y @ np.linalg.qr(rng.normal(size=(16, 16)))[0] + rng.normal(size=(500, 16))
    >>> curve = learning_curve(
    ...     LinearAligner("procrustes"), X, Y, train_sizes=[20, 400], random_state=0
    ... )
    >>> few, many = curve.recall.mean(axis=1)
    >>> bool(few < many)
    True
    """
    _check(n_repeats, confidence, classifier, english, target_dev)
    rng = check_random_state(random_state)
    aligner = clone(aligner)
    if "random_state" in aligner.get_params() and aligner.random_state is None:
        aligner.set_params(random_state=int(rng.randint(2**31 - 1)))
    data = _TextPairs(aligner, X) if y is None else _ArrayPairs(X, y)
    test, rest = _split(data.groups, rng)
    sizes = _sizes(train_sizes, len(rest))
    orders = [rest[rng.permutation(len(rest))] for _ in range(n_repeats)]
    task = None if classifier is None else (classifier, english, target_dev)
    recalls: list[list[NDArray]] = []
    hits: list[list[NDArray]] = []
    bar = _bar(len(sizes) * n_repeats) if verbose else None
    try:
        for size in sizes:
            fits, rights = [], []
            for order in orders:
                fitted = data.fit(aligner, np.sort(order[:size]))
                fits.append(row_recall(*data.moved(fitted, test), data.groups[test]))
                if task is not None:
                    rights.append(_right(fitted, *task))
                if bar is not None:
                    bar.update()
            recalls.append(fits)
            hits.append(rights)
    except KeyboardInterrupt:
        if not recalls:
            raise
        warnings.warn(
            f"The learning curve was interrupted: it ends at {sizes[len(recalls) - 1]} pairs.",
            stacklevel=2,
        )
    finally:
        if bar is not None:
            bar.close()
    recall, recall_interval = _summary(recalls, confidence, rng)
    accuracy = accuracy_interval = accuracy_unaligned = None
    if task is not None:
        accuracy, accuracy_interval = _summary(hits, confidence, rng)
        accuracy_unaligned = data.accuracy_unaligned(aligner, *task)
    return PairLearningCurve(
        n_pairs=np.array(sizes[: len(recalls)]),
        recall=recall,
        recall_interval=recall_interval,
        recall_unaligned=data.recall_unaligned(aligner, test),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval,
        accuracy_unaligned=accuracy_unaligned,
        n_test=len(test),
    )


class _ArrayPairs:
    """Pairs of embeddings."""

    def __init__(self, X: Any, y: Any) -> None:
        self.X = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        self.Y = check_counterparts(self.X, y)
        self.groups = duplicate_groups(self.X, self.Y)

    def fit(self, aligner: Any, rows: NDArray) -> Any:
        return _quietly(clone(aligner).fit, self.X[rows], self.Y[rows])

    def moved(self, fitted: Any, rows: NDArray) -> tuple[NDArray, NDArray]:
        return fitted.transform(self.X[rows]), route_of(fitted).english(self.Y[rows])

    def recall_unaligned(self, aligner: Any, rows: NDArray) -> float | None:
        if self.X.shape[1] != self.Y.shape[1]:
            return None
        return float(row_recall(self.X[rows], self.Y[rows], self.groups[rows]).mean())

    def accuracy_unaligned(self, aligner: Any, head: Any, english: Any, dev: Any) -> float | None:
        if np.shape(english[0])[1] != np.shape(dev[0])[1]:
            return None
        return float(clone(head).fit(*english).score(*dev))


class _TextPairs:
    """Pairs of text; encoders remember what they have encoded."""

    def __init__(self, aligner: Any, X: Any) -> None:
        if not isinstance(aligner, CrossLingualAligner) or not isinstance(aligner.target_lang, str):
            raise ValueError(
                "Without y, learning_curve needs pairs of text and a CrossLingualAligner of one "
                "target_lang. For embeddings X, pass those of the counterparts as y."
            )
        source, system = encoders_of(aligner)
        remembering = _Remembering(source)
        english = None if system is source else _Remembering(system)
        aligner.set_params(encoder=remembering, english_encoder=english)
        data = read_rows(aligner, X)
        if not isinstance(data, Pairs):
            raise ValueError("X must hold pairs, two columns of text [target, English].")
        self.language = aligner.target_lang
        self.pairs = list(zip(data.target, data.english, strict=True))
        self.groups = duplicate_groups(np.array(data.target), np.array(data.english))

    def fit(self, aligner: Any, rows: NDArray) -> Any:
        return _quietly(clone(aligner).fit, [self.pairs[i] for i in rows])

    def moved(self, fitted: Any, rows: NDArray) -> tuple[NDArray, NDArray]:
        # What stands in the first column is the target language, in whatever script.
        target, english = zip(*(self.pairs[i] for i in rows), strict=True)
        languages = [self.language] * len(rows)
        return transform_pairs(fitted, Pairs(list(target), list(english), languages))

    def _unaligned(self, aligner: Any) -> Any:
        plain = copy.copy(aligner).set_params(
            corpus=None, english_encoder=None, output_space="english", method="identity"
        )
        return _quietly(plain.fit, ["no alignment"])

    def recall_unaligned(self, aligner: Any, rows: NDArray) -> float | None:
        if aligner.english_encoder is not None:
            return None
        moved = self.moved(self._unaligned(aligner), rows)
        return float(row_recall(*moved, self.groups[rows]).mean())

    def accuracy_unaligned(self, aligner: Any, head: Any, english: Any, dev: Any) -> float | None:
        if aligner.english_encoder is not None:
            return None
        return float(_right(self._unaligned(aligner), head, english, dev).mean())


class _Remembering:
    """An encoder that encodes every distinct text once."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.rows: dict[str, NDArray] = {}

    def encode(self, texts: list[str]) -> NDArray:
        self.encoder.load()
        new = [t for t in dict.fromkeys(texts) if t not in self.rows]
        if new:
            self.rows.update(zip(new, self.encoder.encode(new), strict=True))
        return np.stack([self.rows[t] for t in texts])


def _right(fitted: Any, head: Any, english: Any, dev: Any) -> NDArray:
    """Which target rows the English-trained head gets right."""
    X, labels = english
    text = isinstance(fitted, CrossLingualAligner) and not hasattr(fitted, "n_features_in_")
    moved = fitted.transform(X) if text else route_of(fitted).english(np.asarray(X))
    predicted = clone(head).fit(moved, labels).predict(fitted.transform(dev[0]))
    return (np.asarray(dev[1]) == predicted).astype(float)


def _quietly(fit: Any, *args: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small sizes are here on purpose
        return fit(*args)


def _split(groups: NDArray[np.intp], rng: np.random.RandomState) -> tuple[NDArray, NDArray]:
    n_groups = int(groups.max()) + 1
    if n_groups < 10:
        raise ValueError(
            f"There are {n_groups} distinct pairs, and a learning curve needs at least 10."
        )
    place = rng.permutation(n_groups)[groups]
    wanted = min(_MAX_TEST, len(groups) // 5)
    last = max(2, int(np.searchsorted(np.cumsum(np.bincount(place)), wanted, side="right")))
    return np.flatnonzero(place < last), np.flatnonzero(place >= last)


def _sizes(train_sizes: Sequence[int] | None, most: int) -> list[int]:
    if train_sizes is None:
        doubled = [100 * 2**i for i in range(30) if 100 * 2**i < most]
        return [*doubled, most]
    sizes = list(train_sizes) if np.iterable(train_sizes) else [None]
    valid = [isinstance(s, numbers.Integral) and 2 <= int(s) <= most for s in sizes]
    if not valid or not all(valid):
        raise ValueError(
            f"train_sizes must be ints from 2 to {most}, the pairs that are not held out, got "
            f"{train_sizes!r}."
        )
    return sorted({int(s) for s in sizes})


def _check(n_repeats: Any, confidence: Any, classifier: Any, english: Any, dev: Any) -> None:
    if not isinstance(n_repeats, numbers.Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a positive int, got {n_repeats!r}.")
    if not isinstance(confidence, numbers.Real) or not 0 < float(confidence) < 1:
        raise ValueError(f"confidence must be a number in (0, 1), got {confidence!r}.")
    given = [value is not None for value in (classifier, english, dev)]
    if any(given) and not all(given):
        raise ValueError("classifier, english and target_dev go together: give all or none.")


def _summary(
    rows: list[list[NDArray]], confidence: float, rng: np.random.RandomState
) -> tuple[NDArray, NDArray]:
    """Mean of every fit, and the interval of their mean."""
    table = np.array(rows)  # sizes, repeats, held-out rows
    _, n_repeats, n_rows = table.shape
    means = np.empty((_DRAWS, len(table)))
    for draw in means:
        repeats = rng.randint(n_repeats, size=n_repeats)
        counts = np.bincount(rng.randint(n_rows, size=n_rows), minlength=n_rows) / n_rows
        draw[:] = (table[:, repeats] @ counts).mean(axis=1)
    tail = (1 - confidence) / 2
    return table.mean(axis=2), np.quantile(means, [tail, 1 - tail], axis=0).T


def _bar(total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="fit")
