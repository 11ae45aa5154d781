"""Hidden layers and pooling of models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from .model import LayerError

__all__ = ["layer_numbers", "use_layers", "use_pooling"]


_NAME = "layer"  # of the module that takes the layers
_known: set[type] = set()  # classes of models that this process has made


def layer_numbers(name: str, layers: Sequence[int], n_layers: int) -> list[int]:
    """Numbers of layers in ascending order, 0 for the embeddings and `n_layers` for the last.

    Parameters
    ----------
    name : str
        Name of the encoder, for an error.
    layers : sequence of int
        As numbered in transformers' ``hidden_states``; negative numbers count from the last.
    n_layers : int
        Number of layers of the model, without the embeddings.

    Raises
    ------
    LayerError
        If the model does not have a layer, or if two numbers are the same layer.
    """
    numbers = [int(layer) + (n_layers + 1 if layer < 0 else 0) for layer in layers]
    for layer, number in zip(layers, numbers, strict=True):
        if not 0 <= number <= n_layers:
            raise LayerError(
                f"Encoder {name!r} has no layer {layer}: it has {n_layers} layers, so that layer= "
                f"takes 0 (the embeddings) to {n_layers}, or -1 (the last) to {-n_layers - 1}."
            )
        if numbers.count(number) > 1:
            raise LayerError(
                f"layer={list(layers)} names layer {number} of encoder {name!r} twice; it has "
                f"{n_layers} layers."
            )
    return sorted(numbers)


def use_pooling(model: Any, pooling: str) -> None:
    """Change how a SentenceTransformer pools tokens.

    Raises
    ------
    ValueError
        If it has no pooling.
    """
    places = _places(model, "Pooling")
    if not places:
        raise ValueError("it has no pooling to change; leave pooling=None")
    old = model._modules[places[0]]
    model._modules[places[0]] = type(old)(_width(old), pooling_mode=pooling)


def use_layers(
    model: Any, layers: Sequence[int], name: str, *, for_processes: bool = False
) -> None:
    """Let a SentenceTransformer pool the tokens of one hidden layer, or the mean of several.

    The layers are taken by a module of the library itself, so that a saved model does not need this
    package.

    Parameters
    ----------
    model : SentenceTransformer
        Model on torch; it is changed.
    layers : sequence of int
        As numbered in transformers' ``hidden_states``; negative numbers count from the last.
    name : str
        Name of the encoder, for an error.
    for_processes : bool, default=False
        Prepare the model to be sent to other processes. The layers are counted in a copy of it, as
        a model that has returned hidden states has hooks of transformers that cannot be sent.

    Raises
    ------
    LayerError
        If the model has no hidden layers, no pooling, or not these layers.
    """
    import torch

    places = _places(model, "Pooling")
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    if config is None:
        raise LayerError(_no_layers(name, "is not a transformers model and has no hidden layers"))
    if not places:
        raise LayerError(
            _no_layers(name, "has no pooling, so that no layer of tokens can be chosen")
        )
    config.output_hidden_states = True
    states = _hidden_states(copy.deepcopy(model) if for_processes else model)
    if states is None:
        raise LayerError(_no_layers(name, "does not return its hidden layers"))
    n_layers = len(states) - 1
    numbers = layer_numbers(name, layers, n_layers)
    weights = torch.zeros(n_layers + 1 - numbers[0], dtype=states[0].dtype)
    weights[[number - numbers[0] for number in numbers]] = 1
    chosen = _weighted_layers(
        _width(model._modules[places[0]]),
        n_layers,
        numbers[0],
        torch.nn.Parameter(weights, requires_grad=False),
    )
    former = _places(model, type(chosen).__name__)
    _insert(model, chosen.to(model.device), without=former)
    if for_processes:
        model[0].register_forward_pre_hook(_make_known)
        model[0].register_forward_hook(_check_states)


def _no_layers(name: str, why: str) -> str:
    return (
        f"Encoder {name!r} {why}: leave layer=None, or use a transformers model on the torch backend, "
        "such as 'multilingual-e5-small'."
    )


def _places(model: Any, kind: str) -> list[str]:
    """Names of the modules of a class of sentence-transformers."""
    return [place for place, module in model.named_children() if type(module).__name__ == kind]


def _width(pooling: Any) -> int:
    """Width of the tokens that a Pooling takes; its name depends on the release."""
    return int(getattr(pooling, "embedding_dimension", None) or pooling.word_embedding_dimension)


def _hidden_states(model: Any) -> Sequence[Any] | None:
    """Hidden states of a short text, the embeddings first; None where the model returns none."""
    found: list[Any] = []

    def keep(_module: Any, _inputs: Any, features: dict[str, Any]) -> None:
        found.append(features.get("all_layer_embeddings"))

    hook = model[0].register_forward_hook(keep)
    try:
        model.encode(["layers"], show_progress_bar=False)
    finally:
        hook.remove()
    return found[0] or None


def _make_known(transformer: Any, _inputs: Any) -> None:
    """Let a process that was sent a model return hidden states.

    transformers records those of classes of which the process has made a model itself: this makes
    one, without weights.
    """
    import torch

    kind = type(transformer.auto_model)
    if kind not in _known:
        with torch.device("meta"):
            kind(transformer.auto_model.config)
        _known.add(kind)


def _check_states(_transformer: Any, _inputs: Any, features: dict[str, Any]) -> None:
    """Raise if there are no hidden states: the library would pool the last layer in their place."""
    if features.get("all_layer_embeddings") is None:
        raise RuntimeError("the model does not return its hidden layers in this process")


def _weighted_layers(width: int, n_layers: int, first: int, weights: Any) -> Any:
    """Module that replaces the tokens by a weighted mean of hidden layers from `first` on."""
    try:
        from sentence_transformers.sentence_transformer.modules import WeightedLayerPooling
    except ImportError:  # older releases
        from sentence_transformers.models import WeightedLayerPooling
    return WeightedLayerPooling(width, n_layers, first, weights)


def _insert(model: Any, module: Any, without: Sequence[str]) -> None:
    """Put a module behind the transformer; other modules keep their names, some are dropped."""
    (name, transformer), *others = model.named_children()
    model._modules.clear()
    model.add_module(name, transformer)
    model.add_module(_NAME, module)
    for place, other in others:
        if place not in without:
            model.add_module(place, other)
