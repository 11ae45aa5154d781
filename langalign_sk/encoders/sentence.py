"""SentenceEncoder: a frozen encoder, by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._utils.normalization import check_form
from .._utils.stamp import complete_state
from .._utils.validation import check_choice, check_number
from .base import TextEncoder
from .cache.lookup import as_cache
from .models.model import Model, Spec
from .models.presets import DEFAULT, preset_of
from .models.registry import load_model

__all__ = ["SentenceEncoder", "prompt_of"]


_CHOICES = {
    "pooling": (None, "mean", "cls", "max", "lasttoken"),
    "dtype": (None, "float32", "float16", "bfloat16"),
    "backend": ("torch", "onnx", "openvino"),
}


class SentenceEncoder(TextEncoder):
    """Frozen sentence encoder, by name; a scikit-learn transformer of text.

    The model is loaded at first use, once per process and settings. The encoder itself holds only
    parameters, so that clones and pickles stay small. A pickle remembers its model: where another
    model is found by that name, other weights raise a warning, and another width an error.

    Parameters
    ----------
    name : str, default="use-multilingual"
        A name of :func:`list_encoders`, a folder in the format of sentence-transformers,
        transformers or model2vec, or a name on the Hugging Face hub. Plain transformers
        checkpoints are mean-pooled. With the extra ``e5``, "multilingual-e5-small" is a model with
        4-bit weights that needs no download, unless the original is in the local cache of the hub
        or a setting is given that only the original has: `revision`, `backend` or several devices.
    revision : str, default=None
        Branch, tag or commit of a hub model.
    prompt : str, default=None
        Put before every text. None is the prompt that the model's card asks for, where this
        package knows it (see :func:`list_encoders`), and the model's own default otherwise; "" is
        no prompt.
    pooling : {"mean", "cls", "max", "lasttoken"}, default=None
        How the tokens of a text become one row; None leaves the model's own pooling. Padding is
        never pooled. Later modules of the model follow, so that a model whose rows have length 1
        has such rows with any pooling.
    layer : int or list of int, default=None
        Hidden layer whose tokens are pooled, as numbered in transformers' ``hidden_states``: 0 is
        the embeddings, i the output of the i-th layer, and negative numbers count from the last. A
        list is the mean of several layers. None is the model as it is. The packaged
        "multilingual-e5-small" computes no layer behind the last that is needed; other models
        compute all of them. "use-multilingual", static models and other backends than torch have
        no layers to set. Every layer is a model of its own in memory.
    normalize : bool, default=False
        Scale rows to length 1. Many models do that themselves.
    max_length : int, default=None
        Number of tokens of a text that are read, with those that the tokenizer adds; the rest is cut
        off, and a warning names the rows. None is the model's own limit: 512 for "use-multilingual"
        and the packaged "multilingual-e5-small", 256 for "minilm-english", 8,192 for static models,
        and that of its files for any other model. "use-multilingual" and static models take any
        number.
    batch_size : int, default=32
        Texts that go through the model together; the packaged "multilingual-e5-small" takes 64
        tokens for each, of any texts. Not used by "use-multilingual".
    device : str or list of str, default=None
        Torch device, such as "cuda:0". None takes cuda, mps or cpu, in this order. A list starts
        a process for each device, such as ``["cuda:0", "cuda:1"]`` or ``["cpu", "cpu"]``; the
        processes keep the model, and every call distributes its batches over them. Scripts that
        use a list need ``if __name__ == "__main__":``.
    dtype : {"float32", "float16", "bfloat16"}, default=None
        Precision of the model's arithmetic; rows are float32 in any case. The packaged
        "multilingual-e5-small" keeps sums and normalisation in float32.
    backend : {"torch", "onnx", "openvino"}, default="torch"
        Runtime, where sentence-transformers supports it for the model; "onnx" and "openvino" are
        extras.
    trust_remote_code : bool, default=False
        Let the model run Python code from its repository.
    cache : None, "memory", path, MemoryCache or FolderCache, default="memory"
        Where encoded rows are kept, so that a text is encoded once. "memory" keeps 128 MiB for
        all encoders of the process and drops the oldest rows first; a folder is shared between
        processes and runs (:class:`FolderCache`).
    verbose : bool, default=False
        Show a progress bar over the texts.
    normalize_text : {"auto", "html", "NFC", "NFKC"} or None, default="auto"
        Form in which texts are encoded and cached, see :ref:`text-normalization`. "auto" leaves
        ordinary text alone; None encodes texts as they are.

    Raises
    ------
    ImportError
        At first use, if a package is missing; the message names the extra to install.
    ValueError
        At first use, if a parameter is out of its range, if the model does not exist or cannot be
        fetched, or if it does not have the layer.

    See Also
    --------
    EndpointEncoder : Embeddings over HTTP.

    Examples
    --------
    >>> from langalign_sk import SentenceEncoder
    >>> encoder = SentenceEncoder("use-multilingual")
    >>> encoder.encode(["Good morning", "좋은 아침"]).shape
    (2, 512)

    Rows of the middle layers:

    >>> middle = SentenceEncoder("minilm-english", layer=[2, 3, 4], pooling="max")
    >>> middle.encode(["Good morning"]).shape
    (1, 384)

    As a step of a pipeline:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(encoder, LogisticRegression())
    >>> model.fit(["good", "fine", "bad", "awful"], [1, 1, 0, 0]).predict(["좋아요"])
    array([1])
    """

    # Parameters that came after the first format, with the values that earlier states stand for.
    _later_parameters: ClassVar[dict[str, Any]] = {"layer": None, "normalize_text": None}

    def __init__(
        self,
        name: str = DEFAULT,
        *,
        revision: str | None = None,
        prompt: str | None = None,
        pooling: str | None = None,
        layer: int | Sequence[int] | None = None,
        normalize: bool = False,
        max_length: int | None = None,
        batch_size: int = 32,
        device: str | Sequence[str] | None = None,
        dtype: str | None = None,
        backend: str = "torch",
        trust_remote_code: bool = False,
        cache: Any = "memory",
        verbose: bool = False,
        normalize_text: str | None = "auto",
    ) -> None:
        self.name = name
        self.revision = revision
        self.prompt = prompt
        self.pooling = pooling
        self.layer = layer
        self.normalize = normalize
        self.max_length = max_length
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype
        self.backend = backend
        self.trust_remote_code = trust_remote_code
        self.cache = cache
        self.verbose = verbose
        self.normalize_text = normalize_text

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(complete_state(type(self), state))

    def _load(self) -> Model:
        _check_settings(self)
        devices = self.device
        return load_model(
            Spec(
                name=os.fspath(self.name),
                revision=self.revision,
                pooling=self.pooling,
                layer=_layers(self),
                max_length=self.max_length,
                device=devices if devices is None or isinstance(devices, str) else tuple(devices),
                dtype=self.dtype,
                backend=self.backend,
                trust_remote_code=self.trust_remote_code,
            )
        )

    @property
    def _prompt(self) -> str | None:
        return prompt_of(self)

    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        # In float32, since the lengths of half-precision rows overflow.
        rows = np.asarray(model.encode(texts, prompt_of(self), self.batch_size), dtype=np.float32)
        if not self.normalize:
            return rows
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1)

    def _settings(self) -> dict[str, Any]:
        # Not the device: its rows differ in the last digits only.
        changing = {
            "prompt": prompt_of(self),
            "pooling": self.pooling,
            "layer": _layers(self),
            "normalize": self.normalize or None,
            "max_length": self.max_length,
            "dtype": self.dtype,
            "backend": None if self.backend == "torch" else self.backend,
        }
        return {name: value for name, value in changing.items() if value is not None}


def prompt_of(encoder: SentenceEncoder) -> str | None:
    """Prompt before every text of an encoder; None is the default of the model itself."""
    preset = preset_of(str(encoder.name))
    return preset.prompt if encoder.prompt is None and preset else encoder.prompt


def _layers(encoder: SentenceEncoder) -> tuple[int, ...] | None:
    """Layers of an encoder in ascending order, whose order does not matter."""
    layer: Any = encoder.layer
    if layer is None:
        return None
    return tuple(sorted(map(int, layer if isinstance(layer, list | tuple) else [layer])))


def _check_layer(layer: Any) -> None:
    """Raise ValueError for layers that no model has."""
    several = isinstance(layer, list | tuple)
    numbers: Any = layer if several else [layer]
    if not all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers):
        raise ValueError(f"layer must be an int, a list of int or None, got {layer!r}.")
    if not numbers:
        raise ValueError(
            f"layer must name one layer or more, got {layer!r}; None is the model as it is."
        )
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"layer must name every layer once, got {layer!r}.")


def _check_settings(encoder: SentenceEncoder) -> None:
    """Raise ValueError or TypeError for a parameter that is invalid for every model."""
    if not isinstance(encoder.name, str | os.PathLike):
        raise TypeError(
            f"name must be a str, got {type(encoder.name).__name__}. An object that encodes goes to "
            "the aligner itself."
        )
    for name, choices in _CHOICES.items():
        check_choice(name, getattr(encoder, name), choices)
    if not isinstance(encoder.trust_remote_code, bool):
        raise TypeError(
            f"trust_remote_code must be True or False, got {encoder.trust_remote_code!r}."
        )
    for name in ("batch_size", "max_length"):
        value = getattr(encoder, name)
        if name != "max_length" or value is not None:
            check_number(name, value, Integral, lambda n: n > 0, "a positive int")
    if encoder.layer is not None:
        _check_layer(encoder.layer)
    for name in ("prompt", "revision"):
        value = getattr(encoder, name)
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a str or None, got {type(value).__name__}.")
    device: Any = encoder.device
    if device is not None and not isinstance(device, str):
        several = isinstance(device, Sequence) and all(isinstance(d, str) for d in device)
        if not several or not device:
            raise TypeError(f"device must be a str, a list of str or None, got {device!r}.")
    check_form(encoder.normalize_text, "normalize_text")
    as_cache(encoder.cache)
