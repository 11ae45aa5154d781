"""Trained aligners."""

from __future__ import annotations

import numbers
import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._utils.compat import CallbackSupportMixin, fit_context, with_callbacks
from ..metrics._core import duplicate_groups
from ._base import PairedMap
from .candidates import METHODS
from .network import Network

__all__ = [
    "ARCHITECTURES",
    "AdapterAligner",
    "Trained",
    "check_adapter_parameters",
    "check_callbacks",
]


# Parameters that two sets of weights must share for one to go on from the other.
_ANATOMY = ("loss", "architecture", "adapter_dim", "rank", "shared", "inverse")


class AdapterAligner(CallbackSupportMixin, PairedMap):
    """Adapter between two sets of paired embeddings, trained by gradient descent.

    Starts from the best closed form of :class:`LinearAligner`, trains with a skorch net, keeps the
    weights with the best held-out retrieval, and ends as plain arrays: neither `transform` nor a
    pickle needs torch.

    Parameters
    ----------
    loss : {"contrastive", "mse", "autoencoder"}, default="contrastive"
        - "contrastive": symmetric InfoNCE with a learned temperature (van den Oord, Li and
          Vinyals, arXiv 1807.03748, eq. 4; Radford et al., arXiv 2103.00020, figure 3). Ours.
        - "mse": the mean squared error of the LANGALIGN paper (arXiv 2503.18603).
        - "autoencoder": "mse" through the encoder and decoder of the paper.
    architecture : {"residual", "fc", "ae"}, default=None
        - "residual": a correction, zero at the start, added to the closed form. Ours.
        - "fc": the paper's fully connected variant, six linear layers with ReLU and dropout.
        - "ae": the paper's autoencoder variant, three layers down to a narrow code and three up.

        None takes the one that goes with `loss`, in this order. The summary of the paper that we
        know gives neither the widths nor the dropout of "fc" and "ae": those are ours.
    adapter_dim : int, default=None
        "residual": hidden width of the correction, or 0 for a linear adapter. "fc": width of the
        five hidden layers. "ae": width of the code. None stands for 0, the width of X, and half
        the width of X.
    rank : int, default=None
        Rank of the correction of a linear adapter; None is full rank.
    start : {"auto", "identity", "ridge", "procrustes", "spectral"}, default="auto"
        Closed form that "residual" starts from, see :class:`LinearAligner`.
    shared : bool, default=False
        Train a map of X and a map of y into one space, from the canonical variates of
        ``LinearAligner(shared=True)``, in place of a map of X into the space of y. Only for
        "contrastive" and "residual". Translations are found best there; models trained on `y` do
        not know that space.
    inverse : bool, default=True
        Train the map back as well. False halves the time of training, and the map back is the
        closed form's, or least squares for "fc" and "ae". Nothing to choose with `shared`.
    temperature : float, default=0.05
        Of the contrastive loss at the start of training.
    mse_weight : float, default=2.0
        Weight of the squared error beside the contrastive loss, relative to the variance of `y`:
        the squared distance of its rows from their mean. It keeps rows where a model trained on
        `y` knows them; 0 is best for search. Not used with `shared`.
    hard_negatives : int, default=0
        Nearest rows, of 4,096 drawn anew in every epoch, that every row has as further negatives.
        Rows nearer than 95 % of the translation's cosine are left out as likely translations
        (Moreira et al., arXiv 2407.15831).
    dropout : float, default=0.1
        Share of hidden units dropped in training.
    weight_decay : float, default=2e-3
        Pull of the correction of "residual" towards zero, that is towards the closed form.
    learning_rate : float, default=None
        Peak of the one-cycle schedule of Adam; constant in `partial_fit`. None is 1e-3, and half
        of it with `shared`, where both sides move.
    batch_size : int, default=None
        Pairs a step. None takes a tenth of the pairs, between 256 and 2,048.
    max_epochs : int, default=10
        Passes over the pairs.
    early_stopping : bool, default=True
        Hold pairs out, keep the weights of the epoch that retrieves their translations best, the
        start included, and stop after `n_iter_no_change` epochs without a rise. Epochs are
        compared by the log-likelihood of the translation, as in :class:`LinearAligner`; one with
        a lower recall at 1 than the start is never kept.
    validation_fraction : float, default=0.1
        Share of the pairs held out, at most 1,000 pairs.
    n_iter_no_change : int, default=5
        Epochs without a rise of the held-out log-likelihood before training stops.
    max_grad_norm : float, default=1.0
        Gradients are clipped to this norm.
    warm_start : bool, default=False
        Go on from the weights of the last fit in place of the closed form.
    callbacks : list of skorch.callbacks.Callback or of (name, callback), default=None
        Passed to the skorch net.
    checkpoint : path, default=None
        Folder that the state of training is written to after every epoch. The same fit, begun
        again with this folder, goes on from there to the result of an uninterrupted run.
    verbose : bool, default=False
        Show a progress bar over the epochs.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out pairs, the weights, the batches and the dropout. Pass an int for the
        same weights in every call, bit for bit on one machine.
    device : str, default=None
        Torch device to train on; None takes cuda, mps or cpu, in this order. On CUDA the matrix
        products are in bfloat16.

    Attributes
    ----------
    network_ : Network
        The map, as arrays of the dtype of X.
    inverse_network_ : Network
        The map back, trained on the same pairs with the sides exchanged; with `shared`, the
        least-squares map from the moved rows of y to X.
    counterpart_network_ : Network
        The map of y into the shared space; only with `shared`.
    start_ : str or None
        Method of the closed form in `network_` at the start; None for "fc" and "ae".
    history_ : list of dict
        Per epoch: its number, training loss, learning rate, seconds and, with early stopping,
        held-out recall at 1 and log-likelihood of both maps.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch that `network_` is from; 0 is the closed form itself.
    stopped_ : {"early", "callback", "interrupted", "diverged"} or None
        Why training ended before `max_epochs`, if it did.
    held_out_indices_ : ndarray of int
        Rows of X that were held out; empty without early stopping.
    held_out_recall_, start_recall_ : float or None
        Held-out recall at 1 of `network_` and of the start. None without early stopping.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Column names of X, if it had any.

    Raises
    ------
    ValueError
        In `fit`, if the two sides differ in length, hold NaN or fewer than two distinct rows, if
        a parameter is out of its range, or if `checkpoint` holds another run.
    TypeError
        If `callbacks` holds something else than skorch callbacks.

    See Also
    --------
    LinearAligner : Closed forms, in a fraction of the time.

    Notes
    -----
    Ctrl-C ends training and leaves a fitted estimator with the best weights so far, and so does a
    loss that is not finite any more; both with a warning.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.mapping import AdapterAligner
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 8))
    >>> Y = np.tanh(X @ rng.normal(size=(8, 8)))
    >>> aligner = AdapterAligner(adapter_dim=16, random_state=0, device="cpu").fit(X, Y)
    >>> aligner.transform(X).shape
    (200, 8)
    >>> aligner.held_out_recall_ >= aligner.start_recall_
    True
    """

    held_out_indices_: NDArray
    network_: Network
    inverse_network_: Network
    counterpart_network_: Network

    def __init__(
        self,
        loss: str = "contrastive",
        *,
        architecture: str | None = None,
        adapter_dim: int | None = None,
        rank: int | None = None,
        start: str = "auto",
        shared: bool = False,
        inverse: bool = True,
        temperature: float = 0.05,
        mse_weight: float = 2.0,
        hard_negatives: int = 0,
        dropout: float = 0.1,
        weight_decay: float = 2e-3,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_epochs: int = 10,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        max_grad_norm: float = 1.0,
        warm_start: bool = False,
        callbacks: Any = None,
        checkpoint: Any = None,
        verbose: bool = False,
        random_state: Any = None,
        device: str | None = None,
    ) -> None:
        self.loss = loss
        self.architecture = architecture
        self.adapter_dim = adapter_dim
        self.rank = rank
        self.start = start
        self.shared = shared
        self.inverse = inverse
        self.temperature = temperature
        self.mse_weight = mse_weight
        self.hard_negatives = hard_negatives
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_grad_norm = max_grad_norm
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state
        self.device = device

    @with_callbacks
    def fit(self, X: Any, y: Any) -> AdapterAligner:
        """Train the map from X to y and the map back.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features), float32 or float64
            Rows to be moved.
        y : array-like of shape (n_pairs, n_targets), float32 or float64
            Where they should be; row i is the counterpart of row i of `X`.

        Returns
        -------
        AdapterAligner
            The fitted estimator.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any) -> AdapterAligner:
        """Go on with one pass over some pairs, at a constant learning rate.

        The first call starts from the closed form of its own pairs, later ones from the weights
        that are there. No pairs are held out.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features), float32 or float64
            Rows to be moved.
        y : array-like of shape (n_pairs, n_targets), float32 or float64
            Their counterparts.

        Returns
        -------
        AdapterAligner
            The fitted estimator.
        """
        return self._fit(X, y, one_pass=True)

    def _fit(self, X: Any, y: Any, one_pass: bool = False) -> AdapterAligner:
        known = ("n_features_in_", "feature_names_in_")
        before = {name: vars(self)[name] for name in known if name in vars(self)}
        try:
            return self._fit_checked(X, y, one_pass)
        except BaseException:
            # Nothing that was fitted before is lost by a fit that fails.
            for name in known:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def _fit_checked(self, X: Any, y: Any, one_pass: bool) -> AdapterAligner:
        going_on = hasattr(self, "network_") and (one_pass or self.warm_start)
        X, Y = self._check_fit_input(X, y, reset=not going_on)
        check_adapter_parameters(self, X.shape[1] == Y.shape[1])
        callbacks = check_callbacks(self.callbacks)
        if going_on:
            self._check_goes_on(Y)
        groups = duplicate_groups(X, Y)
        if not groups.any():
            raise ValueError(
                f"All {len(X)} pairs have the same row on one side: there is nothing to learn from. "
                "Check the encoder."
            )
        context = None if one_pass else fit_context(self, self.max_epochs)
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, X=X, y=Y)
        from .training.run import run  # loads torch, which only training needs

        outcome = run(
            self,
            X,
            Y,
            groups,
            callbacks=callbacks,
            context=context,
            going_on=going_on,
            one_pass=one_pass,
        )
        kept = outcome.kept
        self.__dict__.pop("counterpart_network_", None)
        for name, network in outcome.networks.items():
            setattr(self, name, network)
        self._n_targets = Y.shape[1]
        self.held_out_indices_ = outcome.held_out
        self.start_, self.stopped_ = outcome.start, outcome.stopped
        self.history_ = kept.history
        self.n_iter_, self.best_epoch_ = len(kept.history), kept.best_epoch
        self.held_out_recall_ = kept.recall[0] if kept.recall else None
        self.start_recall_ = kept.start_recall[0] if kept.start_recall else None
        self._made_of = self._anatomy()
        self._partial_state = outcome.state if one_pass else None
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=X, y=Y)
        self._warn(outcome.stopped)
        return self

    def _warn(self, stopped: str | None) -> None:
        kept = f"the weights of epoch {self.best_epoch_} are kept"
        if stopped == "diverged":
            warnings.warn(
                f"The loss was not finite in epoch {self.n_iter_ + 1}: training stopped, and {kept}. "
                "Try a lower learning_rate.",
                ConvergenceWarning,
                stacklevel=6,
            )
        elif stopped == "interrupted":
            warnings.warn(
                f"Training was interrupted after {self.n_iter_} epochs: {kept}.", stacklevel=6
            )

    @property
    def _architecture(self) -> str:
        return self.architecture or ARCHITECTURES[self.loss]

    def _anatomy(self) -> tuple[Any, ...]:
        """What the weights are made for."""
        return tuple(getattr(self, name) for name in _ANATOMY)

    def _check_goes_on(self, Y: NDArray) -> None:
        if Y.shape[1] != self._n_targets:
            raise ValueError(
                f"y has {Y.shape[1]} features, but {type(self).__name__} was fitted on "
                f"{self._n_targets}. Use a new estimator (sklearn.base.clone)."
            )
        if self._made_of != self._anatomy():
            had = dict(zip(_ANATOMY, self._made_of, strict=True))
            raise ValueError(
                f"The weights that are there were trained with {had}, and the parameters are others "
                "now. Use a new estimator (sklearn.base.clone)."
            )

    def move(self, X: NDArray) -> NDArray:
        return self.network_(X)

    def move_back(self, Z: NDArray) -> NDArray:
        return self.inverse_network_(Z)

    def move_counterparts(self, Y: NDArray) -> NDArray:
        return self.counterpart_network_(Y) if self.shared else Y

    def networks(self) -> dict[str, Network]:
        out = {"move": self.network_, "move_back": self.inverse_network_}
        if self.shared:
            out["move_counterparts"] = self.counterpart_network_
        return out

    @property
    def _n_features_out(self) -> int:
        return self.network_.n_targets


ARCHITECTURES = {"contrastive": "residual", "mse": "fc", "autoencoder": "ae"}


def check_adapter_parameters(aligner: Any, square: bool) -> None:
    """Raise for a parameter out of its range, or for two that do not go together."""
    a = aligner
    if a.loss not in ARCHITECTURES:
        raise ValueError(f"loss must be one of {tuple(ARCHITECTURES)}, got {a.loss!r}.")
    known = (None, *ARCHITECTURES.values())
    if a.architecture not in known:
        raise ValueError(f"architecture must be one of {known}, got {a.architecture!r}.")
    architecture = a._architecture
    if a.loss == "autoencoder" and architecture != "ae":
        raise ValueError(
            f'loss="autoencoder" trains architecture="ae", got {a.architecture!r}. Use loss="mse".'
        )
    if a.start not in ("auto", *METHODS):
        raise ValueError(f"start must be one of {('auto', *METHODS)}, got {a.start!r}.")
    if a.start == "identity" and not square:
        raise ValueError('start="identity" needs X and y of one width. Use "auto".')
    if a.shared and (a.loss != "contrastive" or architecture != "residual"):
        raise ValueError(
            f'shared=True goes with loss="contrastive" and architecture="residual", got {a.loss!r} '
            f"and {architecture!r}: a squared error is least where both sides are one point."
        )
    if a.shared and a.hard_negatives:
        raise ValueError("hard_negatives are not looked for with shared=True: leave one out.")
    if a.shared and a.start not in ("auto", "spectral"):
        raise ValueError(f'shared=True starts from "spectral", got start={a.start!r}.')
    for name in ("shared", "inverse", "early_stopping", "warm_start"):
        if not isinstance(getattr(a, name), bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {getattr(a, name)!r}.")
    lowest = 0 if architecture == "residual" else 1
    _check(
        a,
        "adapter_dim",
        numbers.Integral,
        lambda v: v >= lowest,
        f"an int of at least {lowest} or None",
        True,
    )
    _check(a, "rank", numbers.Integral, lambda v: v >= 1, "a positive int or None", True)
    if a.rank is not None and (architecture != "residual" or a.adapter_dim):
        raise ValueError(
            "rank is that of a linear adapter: leave adapter_dim and architecture out."
        )
    _check(
        a,
        "learning_rate",
        numbers.Real,
        lambda v: 0 < v < np.inf,
        "a positive number or None",
        True,
    )
    for name in ("temperature", "max_grad_norm"):
        _check(a, name, numbers.Real, lambda v: 0 < v < np.inf, "a positive number")
    for name in ("mse_weight", "weight_decay"):
        _check(a, name, numbers.Real, lambda v: 0 <= v < np.inf, "a non-negative number")
    _check(a, "dropout", numbers.Real, lambda v: 0 <= v < 1, "a number in [0, 1)")
    _check(a, "validation_fraction", numbers.Real, lambda v: 0 < v < 1, "a number in (0, 1)")
    _check(a, "hard_negatives", numbers.Integral, lambda v: v >= 0, "a non-negative int")
    for name in ("max_epochs", "n_iter_no_change"):
        _check(a, name, numbers.Integral, lambda v: v >= 1, "a positive int")
    _check(
        a, "batch_size", numbers.Integral, lambda v: v >= 2, "an int of at least 2 or None", True
    )
    if a.checkpoint is not None and not isinstance(a.checkpoint, str | os.PathLike):
        raise ValueError(f"checkpoint must be the path of a folder or None, got {a.checkpoint!r}.")
    if a.checkpoint is not None and a.warm_start:
        raise ValueError(
            "checkpoint goes on with a run of its own, and warm_start with the last fit: give one."
        )


def check_callbacks(callbacks: Any) -> list[Any]:
    """The skorch callbacks of the user as a list."""
    from skorch.callbacks import Callback

    if callbacks is None:
        return []
    if not isinstance(callbacks, list | tuple):
        callbacks = [callbacks]
    for entry in callbacks:
        named = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        callback = entry[1] if named else entry
        is_class = isinstance(callback, type) and issubclass(callback, Callback)
        if not (is_class or isinstance(callback, Callback)):
            raise TypeError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, got {entry!r}. "
                "Callbacks of scikit-learn go to set_callbacks."
            )
    return list(callbacks)


def _check(
    aligner: Any, name: str, kind: type, valid: Any, allowed: str, optional: bool = False
) -> None:
    value = getattr(aligner, name)
    if optional and value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool) or not valid(value):
        raise ValueError(f"{name} must be {allowed}, got {value!r}.")


_MAX_ROWS = 50_000  # more pairs make an adapter better, and its advantage no clearer


class Trained:
    """An adapter as a candidate: its settings, and how it does on rows it did not see."""

    alpha = power = rank = None

    def __init__(self, aligner: AdapterAligner) -> None:
        self.aligner = aligner
        self.method = aligner.loss
        self.adapter_dim = aligner.adapter_dim or 0
        self.shared = aligner.shared
        # Without a pull towards the rows of Y, nobody can want them where a model knows them.
        self.for_search = aligner.shared or not aligner.mse_weight

    @property
    def complexity(self) -> tuple[float, ...]:
        """Sorts behind every closed form, the smaller adapter first."""
        return (np.inf, self.adapter_dim)

    def move_folds(
        self, X: NDArray, Y: NDArray, pool: list[NDArray[np.intp]], deadline: float
    ) -> list[tuple[NDArray, NDArray]] | None:
        """Held-out rows of both sides, moved by maps of the other rows; None if time ran out."""
        from .training.callbacks import Deadline  # loads skorch

        moved = []
        for fold in pool:
            clock = Deadline(deadline)
            if clock.passed:
                return None
            rows = np.setdiff1d(np.arange(len(X)), fold)
            if len(rows) > _MAX_ROWS:
                draw = np.random.RandomState(0).permutation(len(rows))[:_MAX_ROWS]
                rows = rows[np.sort(draw)]
            aligner = clone(self.aligner).set_params(inverse=False, checkpoint=None)
            aligner.set_params(callbacks=[("deadline", clock)])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*was interrupted")
                aligner.fit(X[rows], Y[rows])
            if clock.passed:
                return None
            if aligner.stopped_ == "interrupted":
                raise KeyboardInterrupt
            moved.append((aligner.move(X[fold]), aligner.move_counterparts(Y[fold])))
        return moved
