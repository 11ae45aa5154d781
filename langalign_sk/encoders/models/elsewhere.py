"""Models outside of a folder whose weights are loaded with it, as with an adapter of PEFT."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["hub_version", "named_elsewhere"]


# Keys whose value is a name of the hub or a path, by the files that have them.
_NAMES = {
    "adapter_config.json": "base_model_name_or_path",
    "sentence_bert_config.json": "tokenizer_name_or_path",
}
_MOST_BYTES = 1 << 24


def named_elsewhere(root: Path, files: list[Path]) -> Iterator[str]:
    """Names of models of the hub, and paths, that are loaded with a folder and are not in it.

    Parameters
    ----------
    root : Path
        The folder.
    files : list of Path
        Its files.

    Yields
    ------
    str
        Path of a folder, or name of a model of the hub.
    """
    for path in files:
        if path.name in _NAMES:
            content = _read(path)
            name = content.get(_NAMES[path.name]) if isinstance(content, dict) else None
            if isinstance(name, str) and name:
                yield name
        elif path.name == "modules.json" and isinstance(modules := _read(path), list):
            paths = [part.get("path") for part in modules if isinstance(part, dict)]
            yield from (
                os.path.join(path.parent, part)
                for part in paths
                if isinstance(part, str) and _leads_out(path.parent / part, root)
            )


def hub_version(name: str) -> str:
    """Commit of a model of the hub in the local cache; empty if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    try:
        path = try_to_load_from_cache(name, "config.json")
    except ValueError:  # not a name that the hub allows
        return ""
    return os.path.basename(os.path.dirname(path)) if isinstance(path, str) else ""


def _leads_out(path: Path, root: Path) -> bool:
    return root.absolute() not in Path(os.path.normpath(path.absolute())).parents


def _read(path: Path) -> Any:
    """Content of a JSON file; None if it cannot be read, which the loader explains better."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
