"""Progress bars over texts."""

from __future__ import annotations

from typing import Any

__all__ = ["ProgressBar"]


class ProgressBar:
    """Bar of tqdm over texts, which appears when it is started.

    Parameters
    ----------
    shown : bool
        Whether to show a bar at all.
    total : int or None
        Number of texts, if it is known.
    label : str
        Text before the bar.
    """

    def __init__(self, shown: bool, total: int | None, label: str) -> None:
        self._shown, self._total, self._label = shown, total, label
        self._bar: Any = None

    def start(self) -> None:
        """Show the bar, if it is not shown yet."""
        if self._shown and self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._total, unit="text", desc=self._label)

    def update(self, n: int) -> None:
        """Advance by a number of texts."""
        if self._bar is not None:
            self._bar.update(n)

    def complete(self) -> None:
        """Advance to the end."""
        if self._bar is not None:
            self._bar.update(self._bar.total - self._bar.n)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
