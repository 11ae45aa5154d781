"""Version of this package in pickles of its estimators."""

from __future__ import annotations

from typing import Any

from .._version import __version__
from .validation import warn_user

__all__ = ["VersionStampMixin"]


_KEY = "_langalign_sk_version"


class VersionStampMixin:
    """Mixin of estimators whose pickles hold the version of this package.

    scikit-learn writes its version into pickles of its own estimators only.
    """

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
        super().__setstate__(state)  # type: ignore[misc]
