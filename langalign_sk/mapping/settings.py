"""Settings of a training run, with the defaults that depend on the kind of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._utils.validation import warn_user

__all__ = ["ARCHITECTURES", "TrainingSettings", "architecture_of", "objective_of", "settings_of"]


ARCHITECTURES = {"contrastive": "residual", "mse": "fc", "autoencoder": "ae"}  # by loss


@dataclass(frozen=True)
class _Defaults:
    """What None stands for, by the kind of networks."""

    dropout: float
    weight_decay: float
    learning_rate: float
    max_epochs: int
    n_batches: int  # per epoch
    batch_sizes: tuple[int, int]  # the smallest and the largest


_CORRECTION = _Defaults(0.1, 2e-3, 1e-3, 10, 10, (256, 2_048))
# Steps this small leave heads where they are: the squared error of general pairs falls further with
# larger ones, and so does accuracy (`python -m benchmarks adapters`).
_FROM_CLOSED_FORM = _Defaults(0.0, 20.0, 1e-5, 4, 40, (64, 512))
_FROM_RANDOM = _Defaults(0.1, 0.0, 1e-3, 10, 10, (256, 2_048))


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training run.

    Attributes
    ----------
    architecture : {"residual", "fc", "ae"}
        Kind of the networks.
    objective : {"retrieval", "head"}
        Held-out figure that epochs are compared by.
    from_closed_form : bool
        Whether the layers of "fc" and "ae" hold a closed form at the start.
    dropout, weight_decay, learning_rate : float
        As the parameters of AdapterAligner.
    max_epochs : int
        Passes over the pairs.
    batch_size : int or None
        As given.
    n_batches : int
        Batches of an epoch, where no batch size is given.
    batch_sizes : (int, int)
        The smallest and the largest batch size to choose from.
    """

    architecture: str
    objective: str
    from_closed_form: bool
    dropout: float
    weight_decay: float
    learning_rate: float
    max_epochs: int
    batch_size: int | None
    n_batches: int
    batch_sizes: tuple[int, int]

    @property
    def residual(self) -> bool:
        """Whether the networks are corrections of a closed form, which stays as it is."""
        return self.architecture == "residual"

    def batch_size_for(self, n_rows: int) -> int:
        """The batch size for a number of rows."""
        if self.batch_size is not None:
            if self.batch_size > n_rows:
                warn_user(
                    f"batch_size={self.batch_size} is more than the {n_rows} pairs to train on: one "
                    "batch holds them all."
                )
            return min(n_rows, self.batch_size)
        return min(n_rows, int(np.clip(n_rows // self.n_batches, *self.batch_sizes)))


def settings_of(aligner: Any) -> TrainingSettings:
    """Settings that the checked parameters of an AdapterAligner stand for.

    Parameters
    ----------
    aligner : AdapterAligner
        Its parameters were checked.

    Returns
    -------
    TrainingSettings
        Without None but for the batch size.
    """
    architecture = architecture_of(aligner)
    from_closed_form = architecture != "residual" and aligner.init == "closed_form"
    if architecture == "residual":
        default = _CORRECTION
    else:
        default = _FROM_CLOSED_FORM if from_closed_form else _FROM_RANDOM

    def given(name: str) -> Any:
        value = getattr(aligner, name)
        return getattr(default, name) if value is None else value

    learning_rate = given("learning_rate")
    if aligner.shared and aligner.learning_rate is None:
        learning_rate /= 2  # both sides move
    # Random weights are not worth a pull.
    weight_decay = 0.0 if default is _FROM_RANDOM else given("weight_decay")
    return TrainingSettings(
        architecture=architecture,
        objective=objective_of(aligner),
        from_closed_form=from_closed_form,
        dropout=given("dropout"),
        weight_decay=weight_decay,
        learning_rate=learning_rate,
        max_epochs=given("max_epochs"),
        batch_size=aligner.batch_size,
        n_batches=default.n_batches,
        batch_sizes=default.batch_sizes,
    )


def architecture_of(aligner: Any) -> str:
    """Architecture of an adapter, by name or by its loss."""
    return aligner.architecture or ARCHITECTURES[aligner.loss]


def objective_of(aligner: Any) -> str:
    """What an adapter chooses epochs by, by name or by its loss."""
    return aligner.objective or ("retrieval" if aligner.loss == "contrastive" else "head")
