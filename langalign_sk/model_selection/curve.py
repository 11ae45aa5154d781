"""Learning curve over the number of pairs."""

from __future__ import annotations

import copy
import numbers
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, column_or_1d

from .._utils.containers import embedding_rows, label_column, opened
from .._utils.lineage import without_kin
from .._utils.validation import check_number, warn_user
from ..aligner import CrossLingualAligner
from ..aligner._route import encoders_of, read_rows, route_of, transform_pairs
from ..corpus._inputs import Pairs
from ..encoders.objects import Encoder
from ..mapping._base import check_counterparts
from ..metrics._core import duplicate_groups, row_recall
from ._pairs import Aligner

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PairLearningCurve", "learning_curve"]


_MAX_TEST = 1_000
_MIN_GROUPS = 10
_BOOTSTRAP_DRAWS = 1_000
_Labelled = tuple[Any, Any]  # rows and their class labels


@dataclass(frozen=True)
class PairLearningCurve:
    """Learning curve of an aligner: held-out scores by number of training pairs.

    Attributes
    ----------
    n_pairs : ndarray of shape (n_sizes,), dtype int
        Number of training pairs of each size.
    recall : ndarray of shape (n_sizes, n_repeats)
        Recall at 1 on the held-out pairs, of every fit.
    recall_interval : ndarray of shape (n_sizes, 2)
        Confidence interval of the mean over the repeats.
    recall_unaligned : float or None
        Recall of the held-out rows without alignment; None where the two sides differ in width
        or come from two encoders.
    accuracy : ndarray of shape (n_sizes, n_repeats) or None
        Accuracy of the English-trained classifier on the target rows; None without `classifier`.
    accuracy_interval : ndarray of shape (n_sizes, 2) or None
        Confidence interval of the mean accuracy.
    accuracy_unaligned : float or None
        Accuracy without alignment; None where `recall_unaligned` is.
    n_test : int
        Number of held-out pairs; recall falls as it grows.

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

    def to_frame(self) -> pd.DataFrame:
        """Table of the means and their intervals, one row per number of pairs.

        Returns
        -------
        pandas.DataFrame
            Columns n_pairs, recall, recall_low, recall_high; also accuracy, accuracy_low and
            accuracy_high where it was measured.
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
    aligner: Aligner,
    X: Any,
    y: Any = None,
    *,
    train_sizes: Sequence[int] | None = None,
    n_repeats: int = 5,
    classifier: Any = None,
    english: _Labelled | None = None,
    target_dev: _Labelled | None = None,
    confidence: float = 0.95,
    verbose: bool = False,
    random_state: Any = None,
) -> PairLearningCurve:
    """Learning curve: fit an aligner on more and more pairs, and score it on held-out pairs.

    A fifth of the pairs, at most 1,000, is held out, the same for all fits; duplicates of held-out
    rows are never trained on. Every repeat shuffles the remaining pairs and trains on the first
    ones of that order, so that the larger subsets contain the smaller ones.

    Parameters
    ----------
    aligner : LinearAligner, AdapterAligner or CrossLingualAligner
        The aligner. Clones of it are fitted; it is not changed itself.
    X : array-like of shape (n_pairs, n_features), or pairs of text
        Embeddings of the target side. With a CrossLingualAligner of one language, pairs of text
        are accepted too, as in its `fit`; every distinct text is then encoded once.
    y : array-like of shape (n_pairs, n_targets), default=None
        Embeddings of the counterparts; None for pairs of text.
    train_sizes : sequence of int, default=None
        Numbers of training pairs. None doubles from 100 up to all pairs that are not held out.
    n_repeats : int, default=5
        Number of fits of every size, each on different pairs.
    classifier : scikit-learn classifier, default=None
        Head that is trained on `english` and scored on `target_dev`.
    english : (X, labels), default=None
        English rows, embeddings as in `y` or texts, with class labels.
    target_dev : (X, labels), default=None
        Target-language development rows to score the head on; rows of the test set do not belong
        here.
    confidence : float, default=0.95
        Level of the intervals, which are bootstrapped over repeats and held-out rows [1]_.
    verbose : bool, default=False
        Show a progress bar over the fits.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out rows, the subsets and the bootstrap, and seeds the aligner if its own
        `random_state` is None. Pass an int for the same curve in every call.

    Returns
    -------
    PairLearningCurve
        Recall and accuracy for every number of pairs. After Ctrl-C, for the numbers of pairs that
        were finished, with a warning.

    Raises
    ------
    ValueError
        If there are fewer than 10 distinct pairs, if a size is out of range, or if one or two of
        `classifier`, `english` and `target_dev` are given without the others.

    See Also
    --------
    langalign_sk.inspection.PairLearningCurveDisplay : Plot of the curve.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman and Hall
       1993, chapter 13.

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
    _check_parameters(n_repeats, confidence, classifier, english, target_dev)
    rng = check_random_state(random_state)
    aligner = without_kin(clone(aligner))  # its warnings are not heard, and are those of the user's
    if "random_state" in aligner.get_params() and aligner.random_state is None:
        aligner.set_params(random_state=int(rng.randint(2**31 - 1)))
    pairs: _Pairs = _TextPairs(aligner, X) if y is None else _EmbeddingPairs(X, y)
    test, rest = _hold_out(pairs.groups, rng)
    sizes = _sizes(train_sizes, len(rest))
    orders = [rest[rng.permutation(len(rest))] for _ in range(n_repeats)]
    task = None if classifier is None else _Task(classifier, english, target_dev)
    recall_hits, task_hits = _fit_all(aligner, pairs, test, sizes, orders, task, verbose)
    recall, recall_interval = _mean_and_interval(recall_hits, confidence, rng)
    accuracy = accuracy_interval = accuracy_unaligned = None
    if task is not None:
        accuracy, accuracy_interval = _mean_and_interval(task_hits, confidence, rng)
        accuracy_unaligned = pairs.accuracy_unaligned(aligner, task)
    return PairLearningCurve(
        n_pairs=np.array(sizes[: len(recall_hits)]),
        recall=recall,
        recall_interval=recall_interval,
        recall_unaligned=pairs.recall_unaligned(aligner, test),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval,
        accuracy_unaligned=accuracy_unaligned,
        n_test=len(test),
    )


class _Task:
    """Classification task: a head, English rows to train it on, target rows to score it on."""

    def __init__(self, classifier: Any, english: Any, target_dev: Any) -> None:
        self.classifier = classifier
        # Every fit reads them.
        self.english, self.target_dev = (
            (opened(X), column_or_1d(label_column(labels))) for X, labels in (english, target_dev)
        )

    def hits(self, fitted: Aligner) -> NDArray:
        """1 for every target row that the English-trained head classifies correctly, else 0."""
        X, labels = self.english
        encodes = isinstance(fitted, CrossLingualAligner) and not hasattr(fitted, "n_features_in_")
        moved = fitted.transform(X) if encodes else route_of(fitted).english(np.asarray(X))
        head = clone(self.classifier).fit(moved, labels)
        X, labels = self.target_dev
        return (np.asarray(labels) == head.predict(fitted.transform(X))).astype(float)


class _Pairs(Protocol):
    """Pairs of embeddings or of text, to fit an aligner on and to score it on."""

    groups: NDArray[np.intp]

    def fit(self, aligner: Aligner, rows: NDArray) -> Aligner:
        """A clone of the aligner, fitted on these rows."""

    def moved(self, fitted: Aligner, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Both sides of these rows in the output space."""

    def recall_unaligned(self, aligner: Aligner, rows: NDArray) -> float | None:
        """Recall at 1 without alignment; None where the sides have no space in common."""

    def accuracy_unaligned(self, aligner: Aligner, task: _Task) -> float | None:
        """Accuracy without alignment; None where the sides have no space in common."""


class _EmbeddingPairs:
    """Pairs of embeddings."""

    def __init__(self, X: Any, y: Any) -> None:
        self.X = check_array(embedding_rows(X), dtype=[np.float64, np.float32], input_name="X")
        self.Y = check_counterparts(self.X, y)
        self.groups = duplicate_groups(self.X, self.Y)

    def fit(self, aligner: Aligner, rows: NDArray) -> Aligner:
        return _without_warnings(clone(aligner).fit, self.X[rows], self.Y[rows])

    def moved(self, fitted: Aligner, rows: NDArray) -> tuple[NDArray, NDArray]:
        return fitted.transform(self.X[rows]), route_of(fitted).english(self.Y[rows])

    def recall_unaligned(self, aligner: Aligner, rows: NDArray) -> float | None:
        if self.X.shape[1] != self.Y.shape[1]:
            return None
        return float(row_recall(self.X[rows], self.Y[rows], self.groups[rows]).mean())

    def accuracy_unaligned(self, aligner: Aligner, task: _Task) -> float | None:
        if np.shape(task.english[0])[1] != np.shape(task.target_dev[0])[1]:
            return None
        return float(clone(task.classifier).fit(*task.english).score(*task.target_dev))


class _TextPairs:
    """Pairs of text; every distinct text is encoded once for all fits."""

    def __init__(self, aligner: Aligner, X: Any) -> None:
        if not isinstance(aligner, CrossLingualAligner) or not isinstance(aligner.target_lang, str):
            raise ValueError(
                "Without y, learning_curve needs pairs of text and a CrossLingualAligner of one "
                "target_lang. For embeddings X, pass those of the counterparts as y."
            )
        source, system = encoders_of(aligner)
        english = None if system is source else _EncodeOnce(system)
        aligner.set_params(encoder=_EncodeOnce(source), english_encoder=english)
        data = read_rows(aligner, X)
        if not isinstance(data, Pairs):
            raise ValueError("X must hold pairs, two columns of text [target, English].")
        self.language = aligner.target_lang
        self.pairs = list(zip(data.target, data.english, strict=True))
        self.groups = duplicate_groups(np.array(data.target), np.array(data.english))

    def fit(self, aligner: Aligner, rows: NDArray) -> Aligner:
        return _without_warnings(clone(aligner).fit, [self.pairs[i] for i in rows])

    def moved(self, fitted: Aligner, rows: NDArray) -> tuple[NDArray, NDArray]:
        # The first column is in the target language, whatever its script.
        target, english = zip(*(self.pairs[i] for i in rows), strict=True)
        languages = [self.language] * len(rows)
        return transform_pairs(fitted, Pairs(list(target), list(english), languages))

    def _unaligned(self, aligner: Aligner) -> Aligner:
        plain = copy.copy(aligner).set_params(
            corpus=None, english_encoder=None, output_space="english", method="identity"
        )
        return _without_warnings(plain.fit, ["no alignment"])

    def recall_unaligned(self, aligner: Aligner, rows: NDArray) -> float | None:
        if aligner.english_encoder is not None:
            return None
        moved = self.moved(self._unaligned(aligner), rows)
        return float(row_recall(*moved, self.groups[rows]).mean())

    def accuracy_unaligned(self, aligner: Aligner, task: _Task) -> float | None:
        if aligner.english_encoder is not None:
            return None
        return float(task.hits(self._unaligned(aligner)).mean())


class _EncodeOnce:
    """Encoder that keeps the row of every text that it has encoded."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.rows: dict[str, NDArray] = {}

    def encode(self, texts: list[str]) -> NDArray:
        self.encoder.load()
        new = [t for t in dict.fromkeys(texts) if t not in self.rows]
        if new:
            self.rows.update(zip(new, self.encoder.encode(new), strict=True))
        return np.stack([self.rows[t] for t in texts])


def _fit_all(
    aligner: Aligner,
    pairs: _Pairs,
    test: NDArray,
    sizes: list[int],
    orders: list[NDArray],
    task: _Task | None,
    verbose: bool,
) -> tuple[list[list[NDArray]], list[list[NDArray]]]:
    """Hits on held-out pairs and on the task, for every size and repeat; Ctrl-C ends the sizes."""
    recall_hits: list[list[NDArray]] = []
    task_hits: list[list[NDArray]] = []
    bar = _progress_bar(len(sizes) * len(orders)) if verbose else None
    try:
        for size in sizes:
            of_recall, of_task = [], []
            for order in orders:
                fitted = pairs.fit(aligner, np.sort(order[:size]))
                of_recall.append(row_recall(*pairs.moved(fitted, test), pairs.groups[test]))
                if task is not None:
                    of_task.append(task.hits(fitted))
                if bar is not None:
                    bar.update()
            recall_hits.append(of_recall)
            task_hits.append(of_task)
    except KeyboardInterrupt:
        if not recall_hits:
            raise
        largest = sizes[len(recall_hits) - 1]
        warn_user(f"The learning curve was interrupted: it ends at {largest} pairs.")
    finally:
        if bar is not None:
            bar.close()
    return recall_hits, task_hits


def _without_warnings(fit: Callable[..., Any], *args: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few pairs are the point of the small sizes
        return fit(*args)


def _hold_out(groups: NDArray[np.intp], rng: np.random.RandomState) -> tuple[NDArray, NDArray]:
    """Rows to test on and rows to train on; no group of duplicates is in both."""
    n_groups = int(groups.max()) + 1
    if n_groups < _MIN_GROUPS:
        raise ValueError(
            f"There are {n_groups} distinct pairs, and a learning curve needs at least "
            f"{_MIN_GROUPS}."
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


def _check_parameters(
    n_repeats: Any, confidence: Any, classifier: Any, english: Any, target_dev: Any
) -> None:
    check_number("n_repeats", n_repeats, numbers.Integral, lambda n: n >= 1, "a positive int")
    check_number("confidence", confidence, numbers.Real, lambda c: 0 < c < 1, "a number in (0, 1)")
    given = [value is not None for value in (classifier, english, target_dev)]
    if any(given) and not all(given):
        raise ValueError("classifier, english and target_dev go together: give all or none.")


def _mean_and_interval(
    hits: list[list[NDArray]], confidence: float, rng: np.random.RandomState
) -> tuple[NDArray, NDArray]:
    """Mean hits of every fit, and for every size the bootstrap interval of the mean of its fits."""
    table = np.array(hits)  # sizes, repeats, held-out rows
    _, n_repeats, n_rows = table.shape
    means = np.empty((_BOOTSTRAP_DRAWS, len(table)))
    for draw in means:
        repeats = rng.randint(n_repeats, size=n_repeats)
        counts = np.bincount(rng.randint(n_rows, size=n_rows), minlength=n_rows) / n_rows
        draw[:] = (table[:, repeats] @ counts).mean(axis=1)
    tail = (1 - confidence) / 2
    return table.mean(axis=2), np.quantile(means, [tail, 1 - tail], axis=0).T


def _progress_bar(total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="fit")
