"""Pairs and callbacks of the tests of training."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from langalign_sk.mapping import AdapterAligner

NO_STEP = 1e-30  # a learning rate that changes no weight


def pairs(n=120, seed=0):
    """Rows of about unit length; half of Y hangs on the sizes of X without their signs."""
    X = np.random.default_rng(seed).normal(size=(n, 6)) / np.sqrt(6)
    weights = np.random.default_rng(99).normal(size=(12, 5)) / 4
    return X.astype(np.float32), (np.hstack([np.abs(X), X]) @ weights + 0.3).astype(np.float32)


X, Y = pairs()


def adapter(*args, **params):
    defaults = {"max_epochs": 4, "batch_size": 32, "learning_rate": 0.01}
    if params.get("early_stopping", True):
        defaults["n_iter_no_change"] = 9
    return AdapterAligner(*args, **{**defaults, "random_state": 0, "device": "cpu", **params})


def weights(aligner):
    names = ("network_", "inverse_network_", "counterpart_network_")
    networks = [getattr(aligner, name) for name in names if hasattr(aligner, name)]
    return np.concatenate([a.ravel() for n in networks for a in n.arrays()])


class On(Callback):
    """Calls `hook` with the net at every `event`, or at those of one epoch."""

    def __init__(self, event, hook, epoch=None):
        self.event, self.hook, self.epoch = event, hook, epoch
        setattr(self, event, self._call)

    def _call(self, net, *args, **kwargs):
        if self.epoch in (None, len(net.kept.history) + 1):
            self.hook(net)


class Killed(BaseException):
    """Ends a fit without anything being tidied up."""


def kill(net):
    raise Killed


def interrupt(net):
    raise KeyboardInterrupt


KINDS = pytest.mark.parametrize(
    "params",
    [
        {},
        {"adapter_dim": 4},
        {"rank": 2},
        {"shared": True},
        {"loss": "mse"},
        {"loss": "autoencoder"},
    ],
)


class Counting(Callback):
    """Counts epochs of all its instances, since skorch makes them of a class."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        Counting.epochs += 1


def killed_fit(folder, epoch=3, event="on_batch_end", data=(X, Y), **params):
    with pytest.raises(Killed):
        adapter(checkpoint=folder, callbacks=[On(event, kill, epoch)], **params).fit(*data)
