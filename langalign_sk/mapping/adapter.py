"""Aligners trained by gradient descent."""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._utils.compat import CallbackSupportMixin, fit_context, with_callbacks
from .._utils.fits import keeps_former_fit
from .._utils.idle import say_idle
from .._utils.validation import check_choice, check_number, forget, warn_user
from ._base import PairedMap
from .candidates import AUTO_METHODS
from .idle import idle_of_adapter
from .network import Network
from .rows import HeldOutRows, PairedRows
from .selection import HeldOutPairs
from .settings import ARCHITECTURES, architecture_of, settings_of

__all__ = [
    "AdapterAligner",
    "AdapterCandidate",
    "check_adapter_parameters",
    "check_callbacks",
]


# Parameters that two sets of weights must share for one to go on from the other.
_ANATOMY = ("loss", "architecture", "adapter_dim", "rank", "shared", "inverse")
_NETWORKS = ("network_", "inverse_network_", "counterpart_network_")
_MAX_ROWS = 50_000  # more pairs make an adapter better, and its advantage no clearer
_RANGES: tuple[tuple[str, type, Callable[[Any], bool], str], ...] = (
    ("temperature", numbers.Real, lambda v: 0 < v < np.inf, "a positive number"),
    ("max_grad_norm", numbers.Real, lambda v: 0 < v < np.inf, "a positive number"),
    ("mse_weight", numbers.Real, lambda v: 0 <= v < np.inf, "a non-negative number"),
    ("validation_fraction", numbers.Real, lambda v: 0 < v < 1, "a number in (0, 1)"),
    ("hard_negatives", numbers.Integral, lambda v: v >= 0, "a non-negative int"),
    ("n_iter_no_change", numbers.Integral, lambda v: v >= 1, "a positive int"),
)


class AdapterAligner(CallbackSupportMixin, PairedMap):
    """Adapter between two sets of paired embeddings, trained by gradient descent.

    Starts from the best closed form of :class:`LinearAligner`, trains with a skorch net, keeps the
    weights that are best on held-out pairs, and ends as plain arrays: neither `transform` nor a
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
    init : {"closed_form", "random"}, default="closed_form"
        First weights of "fc" and "ae".

        - "closed_form": those that make the network a closed form. Two units hold a component of the
          moved rows, ``z = relu(z) - relu(-z)``; in a layer too narrow for pairs, one unit holds it,
          ``z = relu(z + b) - b``, up to twice its reach in the pairs. After training, the network is
          compared with the closed form on held-out pairs. Ours.
        - "random": those of ``torch.nn.Linear``, as published. Networks of this depth then need far
          more pairs than there mostly are, and are worth less than no alignment.
    adapter_dim : int, default=None
        "residual": hidden width of the correction, or 0 for a linear adapter. "fc": width of the
        five hidden layers. "ae": width of the code. None is 0 for "residual". For "fc" it is twice
        the smaller width of X and y, which holds every linear map exactly, and for "ae" the number
        of principal components that have 99.5 % of the variance of the moved rows; with
        ``init="random"`` it is the width of X, and half of it.
    rank : int, default=None
        Rank of the correction of a linear adapter; None is full rank.
    start : {"auto", "identity", "centre", "ridge", "procrustes", "spectral"}, default="auto"
        Closed form that training starts from, see :class:`LinearAligner`. For the objective "head",
        "auto" is "ridge" within one space, as rotations cost heads accuracy. Not used with
        ``init="random"``.
    shared : bool, default=False
        Train a map of X and a map of y into one space, from the canonical variates of
        ``LinearAligner(shared=True)``, in place of a map of X into the space of y. Only for
        "contrastive" and "residual". Translations are found best there; models trained on `y` do
        not know that space.
    inverse : bool, default=True
        Train the map back as well. False halves the time of training, and the map back is the
        closed form's, or least squares with ``init="random"``. Nothing to choose with `shared`.
    temperature : float, default=0.05
        Of the contrastive loss at the start of training.
    mse_weight : float, default=2.0
        Weight of the squared error beside the contrastive loss, relative to the variance of `y`:
        the squared distance of its rows from their mean. It keeps rows where a model trained on
        `y` knows them; 0 leaves lengths and means free, which cosines do not
        depend on. Not used with `shared`.
    hard_negatives : int, default=0
        Nearest rows, of 4,096 drawn anew in every epoch, that every row has as further negatives.
        Rows nearer than 95 % of the translation's cosine are left out as likely translations
        (Moreira et al., arXiv 2407.15831).
    dropout : float, default=None
        Share of hidden units dropped in training. None is 0.1, and 0 for networks that start as a
        closed form, which a dropped unit takes apart.
    weight_decay : float, default=None
        Pull of the weights towards the closed form (L2-SP: Li, Grandvalet and Davoine, arXiv
        1802.01483). None is 2e-3 for "residual" and 20 for "fc" and "ae". Not used with
        ``init="random"``.
    learning_rate : float, default=None
        Peak of the one-cycle schedule of Adam; constant in `partial_fit`. None is 1e-3, half of it
        with `shared`, where both sides move, and 1e-5 for "fc" and "ae" that start as a closed form.
    batch_size : int, default=None
        Pairs a step. None takes a tenth of the pairs, between 256 and 2,048; for "fc" and "ae" that
        start as a closed form, a 40th of them, between 64 and 512.
    max_epochs : int, default=None
        Passes over the pairs. None is 10, and 4 for "fc" and "ae" that start as a closed form.
    early_stopping : bool, default=True
        Hold pairs out, keep the weights of the best epoch by `objective`, the start included, and
        stop after `n_iter_no_change` epochs without a better one. No map is kept whose recall at 1
        is lower than that of the start.
    objective : {"retrieval", "head"}, default=None
        What epochs are compared by.

        - "retrieval": the log-likelihood of the translations of held-out rows, as in
          :class:`LinearAligner`.
        - "head": the squared error of held-out rows, which a frozen model trained on `y` feels.
          Weights with a lower recall at 1 are moved back towards the start until it is not lower
          (Wortsman et al., arXiv 2109.01903).

        None is "retrieval" for the contrastive loss, and "head" for the others.
    validation_fraction : float, default=0.1
        Share of the pairs held out, at most 1,000 pairs.
    n_iter_no_change : int, default=5
        Epochs that are not better on held-out pairs before training stops.
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
        Method of the closed form that training started from; None with ``init="random"``.
    history_ : list of dict
        Per epoch: its number, training loss, learning rate, seconds and, with early stopping,
        held-out recall at 1, log-likelihood and coefficient of determination of both maps.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch that `network_` is from; 0 is the closed form itself, without layers.
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

    The networks of the paper, of which neither is worse than the closed form that it starts from:

    >>> fc = AdapterAligner("mse", random_state=0, device="cpu").fit(X, Y)
    >>> ae = AdapterAligner("autoencoder", random_state=0, device="cpu").fit(X, Y)
    >>> fc.held_out_recall_ >= fc.start_recall_, ae.held_out_recall_ >= ae.start_recall_
    (True, True)
    """

    # States without these are of networks whose starts were random.
    _later_parameters: ClassVar[dict[str, Any]] = {"init": "closed_form", "objective": None}
    held_out_indices_: NDArray[np.intp]
    start_: str | None
    stopped_: str | None
    n_iter_: int
    best_epoch_: int
    _partial_state: dict[str, Any] | None
    network_: Network
    inverse_network_: Network
    counterpart_network_: Network

    def __init__(
        self,
        loss: str = "contrastive",
        *,
        architecture: str | None = None,
        init: str = "closed_form",
        adapter_dim: int | None = None,
        rank: int | None = None,
        start: str = "auto",
        shared: bool = False,
        inverse: bool = True,
        temperature: float = 0.05,
        mse_weight: float = 2.0,
        hard_negatives: int = 0,
        dropout: float | None = None,
        weight_decay: float | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_epochs: int | None = None,
        early_stopping: bool = True,
        objective: str | None = None,
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
        self.init = init
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
        self.objective = objective
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_grad_norm = max_grad_norm
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state
        self.device = device

    @keeps_former_fit
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
        check_adapter_parameters(self, square=True)
        say_idle(self, idle_of_adapter(self))
        return self._fit(X, y)

    @keeps_former_fit
    @with_callbacks
    def fit_rows(self, rows: PairedRows) -> AdapterAligner:
        return self._fit_rows(rows, going_on=self._goes_on(one_pass=False))

    @keeps_former_fit
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

    def _goes_on(self, one_pass: bool) -> bool:
        return hasattr(self, "network_") and (one_pass or self.warm_start)

    def _fit(self, X: Any, y: Any, one_pass: bool = False) -> AdapterAligner:
        going_on = self._goes_on(one_pass)
        rows = self.check_rows(X, y, reset=not going_on)
        return self._fit_rows(rows, going_on=going_on, one_pass=one_pass)

    def _fit_rows(
        self, rows: PairedRows, *, going_on: bool, one_pass: bool = False
    ) -> AdapterAligner:
        check_adapter_parameters(self, rows.square)
        callbacks = check_callbacks(self.callbacks)
        if going_on:
            self._check_goes_on(rows.Y)
        if not rows.groups.any():
            raise ValueError(
                f"All {len(rows)} pairs have the same row on one side: there is nothing to learn "
                "from. Check the encoder."
            )
        settings = settings_of(self)
        context = None if one_pass else fit_context(self, settings.max_epochs)
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, X=rows.X, y=rows.Y)
        from .training.run import Earlier, run  # loads torch, which only training needs

        earlier = None
        if going_on:
            networks = {name: getattr(self, name) for name in _NETWORKS if hasattr(self, name)}
            earlier = Earlier(networks, self.start_, self._partial_state)
        outcome = run(
            self,
            rows,
            settings=settings,
            callbacks=callbacks,
            context=context,
            earlier=earlier,
            one_pass=one_pass,
        )
        settled, start_recall = outcome.settled, outcome.start_recall
        forget(self, "counterpart_network_")
        for name, network in outcome.networks.items():
            setattr(self, name, network)
        self.n_features_in_, self._n_targets = rows.X.shape[1], rows.Y.shape[1]
        self.held_out_indices_ = outcome.held_out
        self.start_, self.stopped_ = outcome.start, outcome.stopped
        self.history_ = outcome.history
        self.n_iter_, self.best_epoch_ = len(outcome.history), settled.best_epoch
        self.held_out_recall_ = settled.recall[0] if settled.recall else None
        self.start_recall_ = start_recall[0] if start_recall else None
        self._made_of = self._anatomy()
        self._partial_state = outcome.state if one_pass else None
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=rows.X, y=rows.Y)
        self._warn_of_stop()
        return self

    def _warn_of_stop(self) -> None:
        kept = f"the weights of epoch {self.best_epoch_} are kept"
        if self.stopped_ == "diverged":
            warn_user(
                f"The loss was not finite in epoch {self.n_iter_ + 1}: training stopped, and {kept}. "
                "Try a lower learning_rate.",
                ConvergenceWarning,
            )
        elif self.stopped_ == "interrupted":
            warn_user(f"Training was interrupted after {self.n_iter_} epochs: {kept}.")

    def _anatomy(self) -> tuple[Any, ...]:
        """Parameters that the weights are made for."""
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

    @property
    def fitted_method(self) -> str:
        return self.loss

    def unfitted_twin(self) -> AdapterAligner:
        twin: AdapterAligner = clone(self)
        return twin.set_params(checkpoint=None, verbose=False, inverse=False)

    def held_out(self, rows: PairedRows, random_state: Any) -> HeldOutPairs | None:
        indices = self.held_out_indices_  # an adapter is not trained again to be measured
        if not len(indices):
            return None
        moved = self.move(rows.X[indices]), self.move_counterparts(rows.Y[indices])
        return HeldOutPairs(indices, *moved, rows.groups[indices])


def check_adapter_parameters(aligner: AdapterAligner, square: bool) -> None:
    """Raise for a parameter out of its range, or for two that do not go together.

    Parameters
    ----------
    aligner : AdapterAligner
        Holds the parameters.
    square : bool
        Whether both sides have one width.

    Raises
    ------
    ValueError
        For the first such parameter.
    """
    check_choice("loss", aligner.loss, tuple(ARCHITECTURES))
    check_choice("architecture", aligner.architecture, (None, *ARCHITECTURES.values()))
    check_choice("init", aligner.init, ("closed_form", "random"))
    check_choice("objective", aligner.objective, (None, "retrieval", "head"))
    check_choice("start", aligner.start, ("auto", *AUTO_METHODS))
    if aligner.start == "identity" and not square:
        raise ValueError('start="identity" needs X and y of one width. Use "auto".')
    _check_kind(aligner)
    for name in ("shared", "inverse", "early_stopping", "warm_start"):
        value = getattr(aligner, name)
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {value!r}.")
    _check_numbers(aligner)
    folder = aligner.checkpoint
    if folder is not None and not isinstance(folder, str | os.PathLike):
        raise ValueError(f"checkpoint must be the path of a folder or None, got {folder!r}.")
    if folder is not None and aligner.warm_start:
        raise ValueError(
            "checkpoint goes on with a run of its own, and warm_start with the last fit: give one."
        )


def _check_kind(aligner: AdapterAligner) -> None:
    """Raise for a loss, an architecture and a space that do not go together."""
    loss, architecture = aligner.loss, architecture_of(aligner)
    if architecture == "residual" and aligner.init == "random":
        raise ValueError(
            'init="random" goes with architecture="fc" or "ae", and the loss that has it: "residual" '
            "corrects a closed form."
        )
    if loss == "autoencoder" and architecture != "ae":
        raise ValueError(
            f'loss="autoencoder" trains architecture="ae", got {architecture!r}. Use loss="mse".'
        )
    if not aligner.shared:
        return
    if aligner.objective == "head":
        raise ValueError(
            'shared=True goes with objective="retrieval": no row stays where a head knows it.'
        )
    if loss != "contrastive" or architecture != "residual":
        raise ValueError(
            f'shared=True goes with loss="contrastive" and architecture="residual", got {loss!r} '
            f"and {architecture!r}: a squared error is least where both sides are one point."
        )
    if aligner.hard_negatives:
        raise ValueError("hard_negatives are not looked for with shared=True: leave one out.")
    if aligner.start not in ("auto", "spectral"):
        raise ValueError(f'shared=True starts from "spectral", got start={aligner.start!r}.')


def _check_numbers(aligner: AdapterAligner) -> None:
    """Raise for a number out of its range."""
    residual = architecture_of(aligner) == "residual"
    width = 0 if residual else 1
    of_dim = f"an int of at least {width} or None"
    _check_optional(aligner, "adapter_dim", numbers.Integral, lambda v: v >= width, of_dim)
    _check_optional(aligner, "rank", numbers.Integral, lambda v: v >= 1, "a positive int or None")
    if aligner.rank is not None and (not residual or aligner.adapter_dim):
        raise ValueError(
            "rank is that of a linear adapter: leave adapter_dim and architecture out."
        )
    of_rate = "a positive number or None"
    _check_optional(aligner, "learning_rate", numbers.Real, lambda v: 0 < v < np.inf, of_rate)
    of_share = "a number in [0, 1) or None"
    _check_optional(aligner, "dropout", numbers.Real, lambda v: 0 <= v < 1, of_share)
    of_pull = "a non-negative number or None"
    _check_optional(aligner, "weight_decay", numbers.Real, lambda v: 0 <= v < np.inf, of_pull)
    of_epochs = "a positive int or None"
    _check_optional(aligner, "max_epochs", numbers.Integral, lambda v: v >= 1, of_epochs)
    for name, kind, valid, expected in _RANGES:
        check_number(name, getattr(aligner, name), kind, valid, expected)
    of_batch = "an int of at least 2 or None"
    _check_optional(aligner, "batch_size", numbers.Integral, lambda v: v >= 2, of_batch)


def _check_optional(
    aligner: AdapterAligner, name: str, kind: type, valid: Callable[[Any], bool], expected: str
) -> None:
    value = getattr(aligner, name)
    if value is not None:
        check_number(name, value, kind, valid, expected)


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


class AdapterCandidate:
    """Adapter that held-out retrieval may choose."""

    is_trained = True

    def __init__(self, aligner: AdapterAligner) -> None:
        self.aligner = aligner
        self.method = aligner.loss
        self.shared = aligner.shared
        # Without a pull towards the rows of Y, the map is for search alone.
        self.may_stray = bool(not aligner.shared and aligner.mse_weight)
        self.adapter_dim = aligner.adapter_dim or 0

    @property
    def complexity(self) -> tuple[float, ...]:
        """Sorts behind every closed form, the smaller adapter first."""
        return (np.inf, self.adapter_dim)

    @property
    def settings(self) -> dict[str, Any]:
        """Method and width, as the results of a choice list them."""
        none = dict.fromkeys(("alpha", "power", "rank"))
        return {"method": self.method, **none, "adapter_dim": self.adapter_dim}

    def move_folds(
        self, held_out: HeldOutRows, deadline: float
    ) -> list[tuple[NDArray, NDArray]] | None:
        """Held-out rows of both sides, moved by maps of the other rows; None if time ran out."""
        from .training.callbacks import Deadline  # loads skorch

        moved = []
        pairs = held_out.rows
        for fold in held_out.folds:
            clock = Deadline(deadline)
            if clock.passed:
                return None
            rows = np.setdiff1d(np.arange(len(pairs)), fold)
            if len(rows) > _MAX_ROWS:
                draw = np.random.RandomState(0).permutation(len(rows))[:_MAX_ROWS]
                rows = rows[np.sort(draw)]
            aligner = clone(self.aligner).set_params(inverse=False, checkpoint=None)
            aligner.set_params(callbacks=[("deadline", clock)])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*was interrupted")
                aligner.fit_rows(pairs.take(rows))
            if clock.passed:
                return None
            if aligner.stopped_ == "interrupted":
                raise KeyboardInterrupt
            X, Y = pairs.X[fold], pairs.Y[fold]
            moved.append((aligner.move(X), aligner.move_counterparts(Y)))
        return moved
