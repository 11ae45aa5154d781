"""Checkpoints: training that goes on after it was killed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback

from ..._utils.files import replacing
from ..network import Network

__all__ = ["Checkpoint", "fingerprint"]


FORMAT_VERSION = 2
FILE = "adapter.checkpoint.pt"
_OF_KEPT = (
    "best_epoch",
    "start_recall",
    "start_r2",
    "recall",
    "likelihood",
    "r2",
    "history",
    "waited",
)
_KEYS = {
    "format_version",
    "identity",
    "seed",
    "module",
    "criterion",
    "optimizer",
    "best",
    *_OF_KEPT,
}


def fingerprint(X: NDArray, Y: NDArray, settings: dict[str, Any]) -> dict[str, Any]:
    """Identity of a run: what another one must share to go on where this one was killed."""
    digest = hashlib.blake2b(digest_size=16)
    for A in (X, Y):
        for start in range(0, len(A), 8192):
            digest.update(np.ascontiguousarray(A[start : start + 8192]).tobytes())
    shapes = f"{X.shape} {X.dtype}, {Y.shape} {Y.dtype}"
    return {
        "shapes": shapes,
        "pairs": digest.hexdigest(),
        **{k: repr(v) for k, v in settings.items()},
    }


class Checkpoint(Callback):
    """skorch callback that writes the state after every epoch to a folder, and takes it up again.

    The file holds tensors and plain values alone, so that reading it executes nothing.
    """

    def __init__(self, folder: str | os.PathLike, identity: dict[str, Any]) -> None:
        self.path = Path(folder) / FILE
        self.identity = identity
        self.seed: int | None = None  # of the run that the folder holds, or that is under way
        self.state: dict[str, Any] | None = None

    def load(self) -> None:
        """Read the folder, and raise if what it holds belongs to another run."""
        remedy = "Give checkpoint= another folder, or delete the file to train anew."
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ValueError(
                f"checkpoint={str(self.path.parent)!r} is a file, and has to be a folder."
            ) from error
        if not self.path.exists():
            return
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            version, known = state["format_version"], state.get("identity", {})
            whole = version != FORMAT_VERSION or state.keys() == _KEYS
        except Exception as error:
            raise ValueError(f"{self.path} is not a checkpoint of an adapter. {remedy}") from error
        if not whole:
            raise ValueError(f"{self.path} is not a checkpoint of an adapter. {remedy}")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"{self.path} has format version {version}, and this version of langalign_sk reads "
                f"{FORMAT_VERSION}. {remedy}"
            )
        for name in self.identity:  # in the order of what tells most
            had, has = known.get(name), self.identity[name]
            if had == has:
                continue
            what = "other pairs" if name == "pairs" else f"{name} {had}, and this one has {has}"
            raise ValueError(f"{self.path} is of a run with {what}. {remedy}")
        self.state, self.seed = state, state["seed"]

    def restore(self, net: Any) -> None:
        """Take up the state that was read."""
        if self.state is None:
            return
        state, kept = self.state, net.kept
        net.module_.load_state_dict(state["module"])
        net.criterion_.load_state_dict(state["criterion"])
        net.optimizer_.load_state_dict(state["optimizer"])
        kept.best = [_network(values) for values in state["best"]]
        for name in _OF_KEPT:
            setattr(kept, name, state[name])

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        kept = net.kept
        state = {
            "format_version": FORMAT_VERSION,
            "identity": self.identity,
            "seed": self.seed,
            "module": net.module_.state_dict(),
            "criterion": net.criterion_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "best": [_tensors(network) for network in kept.best],
        }
        state.update((name, getattr(kept, name)) for name in _OF_KEPT)
        with replacing(self.path) as part:  # a killed run leaves the old file or the new one, whole
            torch.save(state, part)


def _tensors(network: Network) -> dict[str, Any]:
    affine = [None if a is None else torch.from_numpy(a) for a in (network.coef, network.intercept)]
    return {"affine": affine, "layers": [[torch.from_numpy(a) for a in w] for w in network.layers]}


def _network(state: dict[str, Any]) -> Network:
    coef, intercept = (None if a is None else a.numpy() for a in state["affine"])
    return Network(coef, intercept, tuple((w.numpy(), b.numpy()) for w, b in state["layers"]))
