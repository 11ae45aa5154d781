"""Version of this package in pickles of its estimators."""

from __future__ import annotations

from typing import Any, ClassVar

from .._version import __version__
from .validation import warn_user

__all__ = ["VersionStampMixin", "complete_state"]


_KEY = "_langalign_sk_version"


class VersionStampMixin:
    """Mixin of estimators whose pickles hold the version of this package.

    scikit-learn writes its version into pickles of its own estimators only.
    """

    # Parameters that came after the first format, with the values that earlier states stand for.
    _later_parameters: ClassVar[dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # scikit-learn returns the dict of the estimator itself.
        state: Any = super().__getstate__()
        return {**state, _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written = state.pop(_KEY, None)
        if written != __version__:
            by = "an unknown release" if written is None else f"langalign_sk {written}"
            warn_user(
                f"This {type(self).__name__} was pickled by {by} and is loaded by {__version__}: it "
                "may fail or give other results. Install the release that wrote it, or save models by "
                "langalign_sk.save, whose format outlasts releases."
            )
        super().__setstate__(complete_state(type(self), state))  # type: ignore[misc]


def complete_state(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    """State of an estimator, with the parameters that it was written without.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    state : dict
        Its attributes, as this or an earlier release wrote them.

    Returns
    -------
    dict
        With every parameter of `_later_parameters`.
    """
    return {**getattr(cls, "_later_parameters", {}), **state}
