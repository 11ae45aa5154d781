"""Cells that are kept in a file as soon as they are measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """Cells by key, in a file: an interrupted run goes on where it stopped.

    Parameters
    ----------
    path : Path
        The file; delete it to measure anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, dict] = json.loads(path.read_text()) if path.exists() else {}

    def keep(self, key: str, make: Callable[..., dict], *args: Any) -> None:
        """Fill a cell with ``make(*args)`` unless it is filled."""
        if key in self.cells:
            return
        self.cells[key] = make(*args)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Another run may read the file meanwhile: it finds the old one or the new one.
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.cells))
        part.replace(self.path)
        print(f"{self.path.stem} {key} {self.cells[key]}", flush=True)
