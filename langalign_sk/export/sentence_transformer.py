"""Export of an encoder and the maps behind it as one SentenceTransformer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from ..aligner import CrossLingualAligner
from ..aligner._frozen import thawed
from ..aligner._route import encoders_of, models_seen
from ..encoders import SentenceEncoder
from ..encoders.base import expect_model, loaded_model
from ..encoders.objects import original_object
from ..encoders.sentence import prompt_of
from ..mapping import Network
from ._moves import move_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["to_sentence_transformer"]


def to_sentence_transformer(
    aligner: Any, *, target_lang: str | None = None, side: str | None = None
) -> SentenceTransformer:
    """SentenceTransformer of the encoder of an aligner and its maps, independent of this package.

    The maps become Dense modules behind a copy of the encoder, so that a saved model is loaded by
    sentence-transformers alone, or by any program that reads its folders.

    Unlike the aligner, the model does not distinguish languages: every text passes the map of one
    side. Encode English text, which an aligner with ``output_space="english"`` leaves as it is,
    with the encoder of the English system.

    Parameters
    ----------
    aligner : CrossLingualAligner
        The fitted aligner, frozen or not, with an encoder of sentence-transformers, transformers
        or model2vec: a name, a SentenceEncoder or a SentenceTransformer.
    target_lang : str, default=None
        Language of the map; required if several languages were declared.
    side : {"target", "english"}, default=None
        Side of the texts that the model is for: the target language or English. None is the side
        that moves: English if ``output_space="target"``, else the target language. With "shared"
        both sides move, by a model each.

    Returns
    -------
    sentence_transformers.SentenceTransformer
        The model. Its ``encode`` returns float32 rows of shape (n_texts, n_features_out), on the
        device of the encoder. Its weights are float32, whatever the `dtype` of the encoder.
        Pooling, length limit, normalisation and prompt are those of the encoder; queries and
        documents have the same prompt, the one that the map was fitted with.

    Raises
    ------
    ImportError
        If a package that the encoder needs is missing.
    TypeError
        If `aligner` is not a CrossLingualAligner.
    ValueError
        If the encoder is not a model of sentence-transformers, or runs on another backend than
        torch, if the texts of `side` pass the aligner unchanged, if `target_lang` was not
        declared, or if rows of the encoder have another width than in `fit`.

    See Also
    --------
    to_onnx : Export the maps without the encoder, whatever the encoder is.

    Notes
    -----
    AdapterAligner adds a perceptron to a linear map. No module of the library that loads without
    trusting code adds two branches, so the linear map passes the hidden layers as a difference of
    positive parts, ``x = max(x, 0) - max(-x, 0)``.

    An encoder with `layer` becomes a model with a WeightedLayerPooling. Such a model encodes in the
    process that loaded it: transformers returns no hidden states in the processes of
    ``start_multi_process_pool``, and the library would pool the last layer there.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.export import to_sentence_transformer
    >>> X = np.random.default_rng(0).normal(size=(50, 384))
    >>> aligner = CrossLingualAligner("ko", encoder="minilm-english", method="ridge", alpha=1.0)
    >>> model = to_sentence_transformer(aligner.fit(X, X + 1))
    >>> [type(module).__name__ for module in model]
    ['Transformer', 'Pooling', 'Normalize', 'Dense']
    >>> model.encode(["안녕하세요"]).shape
    (1, 384)
    """
    aligner = thawed(aligner)
    if not isinstance(aligner, CrossLingualAligner):
        raise TypeError(
            "to_sentence_transformer takes a CrossLingualAligner, as it has an encoder, got "
            f"{type(aligner).__name__}. Export maps alone with to_onnx or to_linear."
        )
    move = move_of(aligner, target_lang, side)
    of_system = move.side == "english" and aligner.output_space != "target"
    model = _encoder_model(aligner, int(of_system))
    width = len(model.encode("width", show_progress_bar=False))
    if width != move.n_features_in:
        raise ValueError(
            f"The encoder returns rows of width {width}, but the aligner was fitted on embeddings of "
            f"width {move.n_features_in}. Name the encoder of these embeddings in encoder=."
        )
    for network in move.networks:
        layers = _chain(network)
        for i, (weight, bias) in enumerate(layers):
            _append_dense(model, weight, bias, rectified=i < len(layers) - 1)
    return model


def _encoder_model(aligner: CrossLingualAligner, which: int) -> Any:
    """Copy of the encoder as one SentenceTransformer, with the settings of its handle."""
    from sentence_transformers import SentenceTransformer

    encoder = encoders_of(aligner)[which]
    normalize, prompt = False, None
    if isinstance(encoder, SentenceEncoder):
        if encoder.backend != "torch":
            raise _not_exportable(encoder)
        seen = models_seen(aligner)[which]
        if seen is not None:
            expect_model(encoder, seen)  # it warns where there is another model by this name now
        to_module = loaded_model(encoder).to_module
        if to_module is None:
            raise _not_exportable(encoder)
        model = to_module()
        normalize, prompt = encoder.normalize, prompt_of(encoder)
    else:
        model = original_object(encoder)
        is_model = isinstance(model, SentenceTransformer)
        if not is_model or getattr(model, "backend", "torch") != "torch":
            raise _not_exportable(encoder)
    return _copied(model, normalize, prompt)


def _not_exportable(encoder: Any) -> ValueError:
    """Error about an encoder that is not a SentenceTransformer on torch."""
    given = original_object(encoder)
    given = encoder if given is None else given
    name = getattr(encoder, "name", type(given).__name__)
    backend = getattr(given, "backend", "torch")
    on = "" if backend == "torch" else f" on the backend {backend!r}"
    return ValueError(
        f"Encoder {name!r}{on} is not a model that sentence-transformers can save. Fit with a folder "
        "or hub model of sentence-transformers, transformers or model2vec on the torch backend, such "
        "as 'multilingual-e5-small' (list_encoders names more), or export the maps alone with to_onnx."
    )


def _copied(model: Any, normalize: bool, prompt: str | None) -> Any:
    """Copy of a SentenceTransformer in float32, with one prompt for all texts."""
    from sentence_transformers import SentenceTransformer

    if prompt is None:
        prompt = model.prompts.get(model.default_prompt_name)
    # The map was fitted on rows of this prompt.
    prompts = {"query": prompt, "document": prompt} if prompt else None
    twin = SentenceTransformer(
        modules=[copy.deepcopy(module).float() for module in model],
        prompts=prompts,
        default_prompt_name="query" if prompts else None,
        device=str(model.device),
        similarity_fn_name=model.similarity_fn_name,
    )
    if model.truncate_dim is not None:
        # The library truncates rows behind the last module; the maps need it before them.
        kept = np.eye(
            len(twin.encode("width", show_progress_bar=False)), model.truncate_dim, dtype=np.float32
        )
        _append_dense(twin, kept, np.zeros(kept.shape[1], np.float32), rectified=False)
    if normalize:
        twin.append(_modules().Normalize())
    return twin


def _modules() -> Any:
    try:
        from sentence_transformers.sentence_transformer import modules
    except ImportError:  # older releases
        from sentence_transformers import models as modules
    return modules


def _append_dense(model: Any, weight: NDArray, bias: NDArray, *, rectified: bool) -> None:
    import torch

    dense = _modules().Dense(
        *weight.shape,
        activation_function=torch.nn.ReLU() if rectified else torch.nn.Identity(),
        init_weight=torch.tensor(np.ascontiguousarray(weight.T)),
        init_bias=torch.tensor(bias),
    )
    model.append(dense.to(model.device))


def _chain(network: Network) -> list[tuple[NDArray, NDArray]]:
    """Weights and biases of a chain of layers, rectified except the last, that is the map."""
    if network.coef is None:
        return list(network.layers)
    coef, intercept = network.arrays()[:2]
    if not network.layers:
        return [(coef, intercept)]
    both = np.eye(len(intercept), dtype=coef.dtype)
    both = np.hstack([both, -both])  # the positive part and the negative one
    (first, bias), *middle, (last, offset) = network.layers
    carried = np.eye(both.shape[1], dtype=coef.dtype)
    return [
        (np.hstack([first, coef @ both]), np.concatenate([bias, intercept @ both])),
        *((block_diag(w, carried), np.pad(b, (0, len(carried)))) for w, b in middle),
        (np.vstack([last, both.T]), offset),
    ]
