"""What differs between versions of scikit-learn, and between what is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CallbackSupportMixin", "fit_context", "with_callbacks"]


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this version has no callbacks."""

    def with_callbacks(method: Callable) -> Callable:
        """The method as it is."""
        return method


def fit_context(estimator: Any, max_subtasks: int) -> Any:
    """Root of the tasks that scikit-learn's callbacks are told of; None where there are none."""
    if not hasattr(estimator, "_init_callback_context"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)
