"""Checks of parameters, warnings, and the removal of fitted attributes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = [
    "check_choice",
    "check_grid",
    "check_number",
    "ensured",
    "forget",
    "shorten",
    "warn_user",
]

T = TypeVar("T")

# Frames of these packages stand between a user's line and a warning: a search of scikit-learn
# calls an estimator, a file of joblib, pickle or skops builds one.
_BETWEEN = ("langalign_sk", "sklearn", "joblib", "pickle", "skops", "contextlib")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, and point at the line of the user's code that led here.

    Python 3.12 has ``skip_file_prefixes`` for this. A fixed `stacklevel` points into the package
    as soon as a function is extracted.

    Parameters
    ----------
    message : str
        Text of the warning.
    category : type, default=UserWarning
        Class of the warning.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame.f_globals) in _BETWEEN:
        frame = frame.f_back
    names = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=names.get("__name__", "__main__"),
        registry=names.setdefault("__warningregistry__", {}),
    )


def _package(names: dict[str, Any]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]


def ensured(value: T | None, name: str) -> T:
    """Return a value that its callers have seen to, and raise RuntimeError if it is None.

    An assert says the same, but python -O drops it.

    Parameters
    ----------
    value : object
        Anything but None.
    name : str
        What it is, for the message.
    """
    if value is None:
        raise RuntimeError(
            f"{name} is None where it must be set: an error of langalign_sk. Please report it."
        )
    return value


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise ValueError unless a parameter is one of some values.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : object
        Its value.
    choices : sequence
        The allowed values.
    """
    # A str of numpy, as of a grid of parameters, is a str; True is not 1.
    if not any(
        isinstance(value, type(choice))
        and isinstance(value, bool) is isinstance(choice, bool)
        and value == choice
        for choice in choices
    ):
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}.")


def check_number(
    name: str,
    value: Any,
    kind: type,
    valid: Callable[[Any], bool],
    expected: str,
) -> None:
    """Raise ValueError unless a parameter is a number in its range; True and False are not.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : object
        Its value.
    kind : type
        ``numbers.Integral`` or ``numbers.Real``.
    valid : callable
        Whether a number of this kind is in the range; it is False for NaN.
    expected : str
        The range in words, for the message, such as "a positive int".
    """
    if isinstance(value, bool) or not isinstance(value, kind) or not valid(value):
        raise ValueError(f"{name} must be {expected}, got {value!r}.")


def check_grid(
    name: str, value: Any, kind: type, valid: Callable[[Any], bool], expected: str
) -> list[Any]:
    """Values of a parameter that takes one number or a sequence of numbers.

    Parameters
    ----------
    name, value, kind, valid, expected
        As in `check_number`.

    Returns
    -------
    list
        One value or more.

    Raises
    ------
    ValueError
        If it is neither, is empty, or a number is out of its range.
    """
    values = [value] if isinstance(value, kind) else value
    try:
        values = list(values)
    except TypeError:
        values = [object()]
    if not values or not all(isinstance(v, kind) and valid(v) for v in values):
        raise ValueError(f"{name} must be {expected}, got {value!r}.")
    return values


def forget(estimator: Any, *names: str) -> None:
    """Remove attributes of an earlier fit, where they are set."""
    for name in names:
        estimator.__dict__.pop(name, None)


def shorten(text: str, width: int = 40) -> str:
    """A text as messages quote it: cut to a width."""
    return text if len(text) <= width else text[: width - 3] + "..."
