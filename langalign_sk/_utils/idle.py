"""Parameters that were passed and cannot have any effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from .lineage import say_once, settled, varied

__all__ = ["Idle", "IdleSettings", "find_idle", "passed", "say_idle"]


@dataclass(frozen=True)
class Idle:
    """Row of a table of parameters without effect.

    Attributes
    ----------
    names : tuple of str
        Parameters that have no effect.
    where : callable
        ``situation -> bool``: where they have none.
    reason : str
        Why, as a format string of the situation `s`. Nothing in it differs from fold to fold.
    governed_by : tuple of str
        Parameters that make it so. Where a search varies one of these, other candidates may use what
        this one has no use for, and nothing is said.
    harmless : tuple
        Values that ask for what happens anyway.
    """

    names: tuple[str, ...]
    where: Callable[[Any], bool]
    reason: str
    governed_by: tuple[str, ...] = ()
    harmless: tuple[Any, ...] = ()


@dataclass(frozen=True)
class IdleSettings:
    """Parameters of one estimator that have no effect, for one reason.

    Attributes
    ----------
    message : str
        The warning.
    key : str
        The same for all folds of a search.
    governed_by : tuple of str
        As in the table.
    """

    message: str
    key: str
    governed_by: tuple[str, ...]


def passed(estimator: Any) -> dict[str, Any]:
    """Parameters that are not at their defaults, and were not set by a meta-estimator.

    Parameters
    ----------
    estimator : estimator
        Of any kind.

    Returns
    -------
    dict
        Values by name.
    """
    out = {}
    for name, parameter in signature(type(estimator).__init__).parameters.items():
        value = getattr(estimator, name, parameter.default)
        if name in ("self", *settled(estimator)) or _equal(value, parameter.default):
            continue
        out[name] = value
    return out


def find_idle(
    given: dict[str, Any], table: Sequence[Idle], situation: Any, called: str = "{}"
) -> list[IdleSettings]:
    """Passed parameters without effect, by the first row of the table that tells why.

    Parameters
    ----------
    given : dict
        Passed parameters by name.
    table : sequence of Idle
        Rows that are looked at in this order.
    situation : object
        What the rows ask.
    called : str
        Format of the names in messages.

    Returns
    -------
    list of IdleSettings
        One for every row of the table that applies.
    """
    left = dict(given)
    out = []
    for row in table:
        idle = [
            name
            for name in row.names
            if name in left and not any(_equal(left[name], value) for value in row.harmless)
        ]
        if not idle or not row.where(situation):
            continue
        for name in idle:
            del left[name]
        reason = row.reason.format(s=situation)
        names = [called.format(name) for name in idle]
        listed = " and ".join((", ".join(names[:-1]), names[-1])) if names[1:] else names[0]
        has = "have" if names[1:] else "has"
        out.append(
            IdleSettings(
                f"{listed} {has} no effect here: {reason}.", f"{listed}: {reason}", row.governed_by
            )
        )
    return out


def say_idle(estimator: Any, found: Sequence[IdleSettings]) -> None:
    """Warn of parameters without effect, once for an estimator and its clones.

    Parameters
    ----------
    estimator : estimator
        Whose parameters they are.
    found : sequence of IdleSettings
        As `find_idle` returns them.
    """
    for idle in found:
        if not varied(estimator) & {*idle.governed_by}:
            say_once(estimator, f"idle {idle.key}", idle.message)


def _equal(value: Any, other: Any) -> bool:
    """Whether two values of a parameter are the same; arrays are equal to nothing else."""
    if value is other:
        return True
    plain = bool | int | float | str | tuple | list | dict
    if not isinstance(value, plain) or isinstance(value, bool) is not isinstance(other, bool):
        return False
    try:
        return bool(value == other)
    except ValueError:  # arrays inside
        return False
