"""Checkpoints: a run that was killed is taken up."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from langalign_sk.mapping.training import run
from tests.mapping.training.cases import (
    NO_STEP,
    Counting,
    On,
    X,
    Y,
    adapter,
    interrupt,
    killed_fit,
    pairs,
    weights,
)


def counter():
    """A list, and a callback that appends to it once an epoch."""
    epochs = []
    return epochs, On("on_epoch_end", lambda net: epochs.append(len(net.history)))


TAKEN_UP = pytest.mark.parametrize(
    "params",
    [
        {},
        {"adapter_dim": 4, "hard_negatives": 2},
        {"rank": 2, "early_stopping": False},
        {"shared": True},
        {"loss": "mse", "dropout": 0.5},
        {"loss": "autoencoder", "dropout": 0.5, "early_stopping": False},
    ],
)


def without_time(history):
    return [{k: v for k, v in h.items() if k != "seconds"} for h in history]


def assert_same_run(a, b):
    assert weights(a).tobytes() == weights(b).tobytes()
    assert without_time(a.history_) == without_time(b.history_)
    for name in ("n_iter_", "best_epoch_", "start_", "start_recall_", "held_out_recall_"):
        assert getattr(a, name) == getattr(b, name)


def read(folder):
    (path,) = Path(folder).iterdir()
    return path, torch.load(path, weights_only=True)


_KILLED = """
import json, os, sys
import numpy as np
from skorch.callbacks import Callback
from langalign_sk.mapping import AdapterAligner


class Kill(Callback):
    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 3:
            os._exit(7)


data, folder, params = sys.argv[1:]
arrays = np.load(data)
aligner = AdapterAligner(checkpoint=folder, callbacks=[Kill()], **json.loads(params))
aligner.fit(arrays["X"], arrays["Y"])
"""


@pytest.mark.slow
def test_fit_of_a_killed_process_is_taken_up(tmp_path):
    np.savez(tmp_path / "pairs.npz", X=X, Y=Y)
    kinds = {"residual": {"adapter_dim": 4}, "fc": {"loss": "mse", "dropout": 0.5}}
    started = []
    for name, params in kinds.items():
        given = adapter(**params).get_params()
        del given["callbacks"], given["checkpoint"]
        args = [sys.executable, "-c", _KILLED, tmp_path / "pairs.npz", tmp_path / name]
        started.append(
            subprocess.Popen([*args, json.dumps(given)], stderr=subprocess.PIPE, text=True)
        )
    for process in started:
        assert process.communicate()[1] == ""
        assert process.returncode == 7
    for name, params in kinds.items():
        epochs, count = counter()
        resumed = adapter(checkpoint=tmp_path / name, callbacks=[count], **params).fit(X, Y)
        assert len(epochs) == 2
        assert [h["epoch"] for h in resumed.history_] == [1, 2, 3, 4]
        assert_same_run(resumed, adapter(**params).fit(X, Y))


@TAKEN_UP
@pytest.mark.parametrize("event", ["on_epoch_begin", "on_batch_end"])
def test_ended_fit_is_taken_up(params, event, tmp_path):
    killed_fit(tmp_path, event=event, **params)
    epochs, count = counter()
    resumed = adapter(checkpoint=tmp_path, callbacks=[count], **params).fit(X, Y)
    assert len(epochs) == 2
    assert_same_run(resumed, adapter(**params).fit(X, Y))


def test_fit_is_taken_up_again_and_again(tmp_path):
    for epoch in (1, 2, 2, 4):
        killed_fit(tmp_path, epoch)
    epochs, count = counter()
    resumed = adapter(checkpoint=tmp_path, callbacks=[count]).fit(X, Y)
    assert len(epochs) == 1
    assert_same_run(resumed, adapter().fit(X, Y))


def test_interrupted_fit_is_taken_up(tmp_path):
    with pytest.warns(UserWarning, match="interrupted after 2 epochs"):
        adapter(checkpoint=tmp_path, callbacks=[On("on_batch_end", interrupt, 3)]).fit(X, Y)
    assert_same_run(adapter(checkpoint=tmp_path).fit(X, Y), adapter().fit(X, Y))


@TAKEN_UP
def test_finished_fit_is_not_trained_again(params, tmp_path):
    first = adapter(checkpoint=tmp_path, **params).fit(X, Y)
    assert_same_run(first, adapter(**params).fit(X, Y))
    epochs, count = counter()
    second = adapter(checkpoint=tmp_path, callbacks=[count], **params).fit(X, Y)
    assert epochs == []
    assert second.history_ == first.history_
    assert_same_run(second, first)


def test_fit_that_stopped_early_is_not_trained_again(tmp_path):
    params = {"n_iter_no_change": 2, "learning_rate": NO_STEP, "checkpoint": tmp_path}
    assert adapter(**params).fit(X, Y).n_iter_ == 2
    epochs, count = counter()
    assert adapter(**params, callbacks=[count]).fit(X, Y).n_iter_ == 2
    assert epochs == []


def test_callback_on_its_own_does_not_make_another_run(tmp_path):
    adapter(checkpoint=tmp_path).fit(X, Y)
    epochs, count = counter()
    adapter(checkpoint=tmp_path, callbacks=count).fit(X, Y)
    assert epochs == []


def test_folder_is_made(tmp_path):
    folder = tmp_path / "a" / "b"
    adapter(checkpoint=str(folder)).fit(X, Y)
    assert len(list(folder.iterdir())) == 1


def test_how_a_run_is_watched_does_not_matter(tmp_path, capsys):
    killed_fit(tmp_path)
    resumed = adapter(checkpoint=str(tmp_path), verbose=True, callbacks=[Counting]).fit(X, Y)
    assert "4/4" in capsys.readouterr().err
    assert_same_run(resumed, adapter().fit(X, Y))


def test_partial_fit_leaves_the_checkpoint_alone(tmp_path):
    adapter(checkpoint=tmp_path).partial_fit(X, Y)
    assert list(tmp_path.iterdir()) == []


def test_seed_of_an_unseeded_run_is_taken_up(tmp_path, monkeypatch):
    killed_fit(tmp_path, random_state=None)
    _, state = read(tmp_path)
    resumed = adapter(checkpoint=tmp_path, random_state=None).fit(X, Y)
    assert read(tmp_path)[1]["seed"] == state["seed"]
    assert resumed.history_[:2] == state["history"]
    drawn = SimpleNamespace(randint=lambda high: state["seed"])
    monkeypatch.setattr(run, "check_random_state", lambda random_state: drawn)
    assert_same_run(resumed, adapter(random_state=None).fit(X, Y))


OTHER_RUNS = [
    ((Y, X), {}, "shapes|other pairs"),
    ((X[:-1], Y[:-1]), {}, "shapes|other pairs"),
    ((X.astype(float), Y.astype(float)), {}, "shapes|other pairs"),
    ((X[::-1], Y[::-1]), {}, "other pairs"),
    ((X, Y + np.float32(1e-6)), {}, "other pairs"),
    ((X, Y), {"max_epochs": 5}, "max_epochs 4, and this one has 5"),
    ((X, Y), {"learning_rate": 0.02}, "learning_rate 0.01, and this one has 0.02"),
    ((X, Y), {"adapter_dim": 3}, "adapter_dim None, and this one has 3"),
    ((X, Y), {"random_state": 1}, "random_state 0, and this one has 1"),
    ((X, Y), {"random_state": None}, "random_state 0, and this one has None"),
    ((X, Y), {"loss": "mse"}, "loss 'contrastive', and this one has 'mse'"),
]


@pytest.mark.parametrize(("data", "params", "what"), OTHER_RUNS)
def test_checkpoint_of_another_run(data, params, what, tmp_path):
    killed_fit(tmp_path)
    path, _ = read(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"is of a run with .*({what}).*another folder"):
        adapter(checkpoint=tmp_path, **params).fit(*data)
    assert path.read_bytes() == before


def test_checkpoint_of_another_numpy_seed(tmp_path):
    killed_fit(tmp_path, random_state=np.int64(1))
    with pytest.raises(ValueError, match=r"random_state.*another folder"):
        adapter(checkpoint=tmp_path, random_state=np.int64(2)).fit(X, Y)


def test_checkpoint_of_another_format(tmp_path):
    killed_fit(tmp_path)
    path, state = read(tmp_path)
    torch.save({**state, "format_version": 99}, path)
    with pytest.raises(ValueError, match=r"has format version 99, .* reads \d.*another folder"):
        adapter(checkpoint=tmp_path).fit(X, Y)


@pytest.mark.parametrize(
    "spoil_file",
    [
        *("garbage", "empty", "cut", "list", "code"),
        "incomplete",
    ],
)
def test_file_that_is_no_checkpoint(spoil_file, tmp_path):
    killed_fit(tmp_path)
    path, state = read(tmp_path)
    whole = path.read_bytes()
    if spoil_file in ("list", "incomplete"):
        version = state["format_version"]
        torch.save([version] if spoil_file == "list" else {"format_version": version}, path)
    elif spoil_file == "code":
        torch.save({**state, "code": Path}, path)
    else:
        spoilt = {"garbage": b"garbage" * 99, "empty": b"", "cut": whole[: len(whole) // 2]}
        path.write_bytes(spoilt[spoil_file])
    with pytest.raises(ValueError, match=r"is not a checkpoint of an adapter.*another folder"):
        adapter(checkpoint=tmp_path).fit(X, Y)


@pytest.mark.parametrize(
    "data",
    [
        pairs(seed=1),
        (X[:, :4], Y[:, :3]),
    ],
)
def test_checkpoint_that_is_refused_leaves_the_last_fit(data, tmp_path):
    killed_fit(tmp_path)
    aligner = adapter().fit(*data)
    moved, history = aligner.transform(data[0]), aligner.history_
    with pytest.raises(ValueError, match="another folder"):
        aligner.set_params(checkpoint=tmp_path, max_epochs=5).fit(X, Y)
    np.testing.assert_array_equal(aligner.transform(data[0]), moved)
    assert aligner.history_ == history
