"""Keywords of sentence-transformers' encode, for libraries that expect a model of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_asked", "check_others", "settings_of_call"]


# Keywords with the values that ask for what the encoders of this package do anyway.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "prompt_name": (None,),
    "output_value": ("sentence_embedding",),
    "precision": ("float32", None),
    "truncate_dim": (None,),
    "pool": (None,),
    "chunk_size": (None,),
    "task": (None,),
}
# What is being evaluated, for models with a prompt for each task (MTEB); here all have the same.
_INFORMATION = ("task_name", "task_metadata", "hf_split", "hf_subset", "prompt_type")
_REMEDIES = {
    "prompt_name": "give the text of the prompt in prompt=",
    "output_value": "rows of other layers and poolings are settings of SentenceEncoder",
    "truncate_dim": "cut the columns, as rows[:, :dim]",
}


def settings_of_call(
    parameters: dict[str, Any], asked: dict[str, Any], owner: str
) -> dict[str, Any]:
    """Parameters of an encoder that one call changes.

    Parameters
    ----------
    parameters : dict
        Of the encoder.
    asked : dict
        Of the call, by the names of the parameters; None leaves one as it is.
    owner : str
        Class of the encoder, for the error.

    Raises
    ------
    TypeError
        If the encoder does not have such a parameter.
    """
    changed = {name: value for name, value in asked.items() if value is not None}
    for name in changed:
        if name not in parameters:
            raise TypeError(f"encode got {name}={changed[name]!r}, which {owner} does not have.")
    return {name: value for name, value in changed.items() if parameters[name] != value}


def check_others(others: dict[str, Any]) -> None:
    """Raise TypeError for a keyword that cannot be honoured."""
    for name, value in others.items():
        if name in _INFORMATION or (name in _NEUTRAL and value in _NEUTRAL[name]):
            continue
        if name in _NEUTRAL:
            remedy = _REMEDIES.get(name, "leave it out")
            raise TypeError(f"encode cannot honour {name}={value!r}: {remedy}.")
        raise TypeError(f"encode got an unexpected keyword argument {name!r}: leave it out.")


def as_asked(
    rows: NDArray, *, convert_to_numpy: bool, convert_to_tensor: bool, normalize: bool
) -> Any:
    """Rows as an array, a tensor, or a list of one tensor per text; of length 1 if so wanted."""
    if normalize:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(lengths > 0, lengths, 1)
    if convert_to_numpy and not convert_to_tensor:
        return rows
    import torch  # no other call needs it

    tensor = torch.from_numpy(rows)
    return tensor if convert_to_tensor else [*tensor]
