"""Imports of optional packages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_extra"]


def import_extra(module: str, need: str, extra: str) -> Any:
    """Import a module of an optional package; the ImportError names the extra to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'{need}: pip install "langalign-sk[{extra}]".') from error
