"""Tables of the parameters of array-level aligners that have no effect under others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._utils.idle import Idle, IdleSettings, find_idle, passed
from .candidates import linear_candidates
from .settings import architecture_of

__all__ = ["WITHOUT_STRENGTH", "idle_of_adapter", "idle_of_linear", "leaves_no_choice"]

WITHOUT_STRENGTH = ("identity", "centre", "scale", "procrustes")

# `random_state`, `match_scale` of a single map and all others have an effect.
_LINEAR = (
    Idle(
        ("alpha",),
        lambda s: not s.shared and s.method in WITHOUT_STRENGTH,
        "method={s.method!r} has no regularisation",
        ("method",),
    ),
    Idle(
        ("power", "rank"),
        lambda s: not s.shared and s.method not in ("auto", "spectral"),
        'only method="spectral" has singular values, and method={s.method!r} is used',
        ("method",),
    ),
    Idle(
        ("match_scale",),
        lambda s: s.shared,
        "shared=True moves both sides, so there is no scale to match",
        ("shared",),
    ),
    Idle(
        ("objective",),
        lambda s: s.shared or leaves_no_choice(s.method, s.alpha, s.power, s.rank),
        "there is a single map, so there is nothing to choose",
        ("method", "alpha", "power", "rank", "shared"),
    ),
)
# `device`, `batch_size`, `warm_start` and all others have an effect; `rank`, `shared` and `init` raise
# where they have none.
_ADAPTER = (
    Idle(
        ("temperature", "hard_negatives", "mse_weight"),
        lambda s: s.loss != "contrastive",
        "only the contrastive loss uses such parameters, and loss={s.loss!r} is set",
        ("loss",),
    ),
    Idle(
        ("mse_weight", "inverse"),
        lambda s: s.shared,
        "shared=True moves both sides, and has a map back in any case",
        ("shared",),
        (True,),
    ),
    Idle(
        ("start", "weight_decay"),
        lambda s: architecture_of(s) != "residual" and s.init == "random",
        'init="random" does not start from a closed form',
        ("init", "architecture", "loss"),
    ),
    Idle(
        ("dropout",),
        lambda s: architecture_of(s) == "residual" and not s.adapter_dim,
        "a linear adapter has no hidden units; adapter_dim adds some",
        ("adapter_dim", "architecture", "loss"),
        (0, 0.0),
    ),
    Idle(
        ("objective", "validation_fraction", "n_iter_no_change"),
        lambda s: not s.early_stopping,
        "early_stopping=False holds no pairs out",
        ("early_stopping",),
    ),
)


def leaves_no_choice(method: Any, alpha: Any, power: Any = "auto", rank: Any = None) -> bool:
    """Whether parameters of closed forms stand for one map, whatever it is chosen by.

    Parameters
    ----------
    method, alpha, power, rank
        Checked parameters of `LinearAligner`.

    Returns
    -------
    bool
        False for several maps.
    """
    return len(linear_candidates(method, alpha=alpha, power=power, rank=rank)) == 1


def idle_of_linear(aligner: Any) -> list[IdleSettings]:
    """Parameters of a LinearAligner that were passed and have no effect.

    Parameters
    ----------
    aligner : LinearAligner
        Its parameters were checked.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect.
    """
    return find_idle(passed(aligner), _LINEAR, aligner)


def idle_of_adapter(
    aligner: Any, given: Mapping[str, Any] | None = None, called: str = "{}"
) -> list[IdleSettings]:
    """Parameters of an AdapterAligner that were passed and have no effect.

    Parameters
    ----------
    aligner : AdapterAligner
        Its parameters were checked.
    given : mapping, default=None
        The passed ones by name; None takes those that are not at their defaults.
    called : str
        Format of the names in messages.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect.
    """
    default = type(aligner)().get_params(deep=False)
    here = passed(aligner) if given is None else dict(given)
    here = {name: value for name, value in here.items() if value is not default.get(name)}
    return find_idle(here, _ADAPTER, aligner, called)
