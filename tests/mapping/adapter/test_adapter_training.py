"""The training run of AdapterAligner: what watches it, ends it early, and takes it up again."""

import itertools
import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EpochTimer
from skorch.history import History

from langalign_sk.mapping import AdapterAligner, Network
from langalign_sk.mapping.training import run
from langalign_sk.mapping.training.batches import PairBatches, PairDataset, n_batches, unit_of
from langalign_sk.mapping.training.callbacks import Kept, OneCycle
from langalign_sk.mapping.training.modules import BothWays, Trainable
from langalign_sk.mapping.training.start import hold_out

NO_STEP = 1e-30  # a learning rate that changes no weight


def pairs(n=120, seed=0):
    """Rows of about unit length; half of Y hangs on the sizes of X without their signs."""
    X = np.random.default_rng(seed).normal(size=(n, 6)) / np.sqrt(6)
    weights = np.random.default_rng(99).normal(size=(12, 5)) / 4
    return X.astype(np.float32), (np.hstack([np.abs(X), X]) @ weights + 0.3).astype(np.float32)


X, Y = pairs()
UNTRAINED = {"early_stopping": False, "max_epochs": 1, "learning_rate": NO_STEP}


def adapter(*args, **params):
    defaults = {"max_epochs": 4, "batch_size": 32, "learning_rate": 0.01, "n_iter_no_change": 9}
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


def spoil(net):
    with torch.no_grad():
        next(net.module_.there.parameters()).view(-1)[0] = float("nan")


def counter():
    """A list, and a callback that appends to it once an epoch."""
    epochs = []
    return epochs, On("on_epoch_end", lambda net: epochs.append(len(net.history)))


# A loss that is not finite

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


@KINDS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_before_the_loss_was_not_finite_are_kept(params, early_stopping):
    params = {**params, "early_stopping": early_stopping}
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 3: training stopped"):
        aligner = adapter(callbacks=[On("on_epoch_begin", spoil, 3)], **params).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == 2
    assert aligner.best_epoch_ <= 2
    assert np.isfinite(weights(aligner)).all()
    assert np.isfinite(aligner.transform(X)).all()
    assert np.isfinite(aligner.inverse_transform(aligner.transform(X))).all()
    # The same as of a run that somebody ended there.
    with pytest.warns(UserWarning, match="interrupted"):
        stopped = adapter(callbacks=[On("on_epoch_begin", interrupt, 3)], **params).fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), weights(stopped))


def test_weights_of_the_epoch_before_are_kept_without_early_stopping():
    seen = []
    see = On("on_epoch_end", lambda net: seen.append(net.module_.there.network().coef))
    callbacks = [On("on_epoch_begin", spoil, 3), see]
    with pytest.warns(ConvergenceWarning, match="the weights of epoch 2 are kept.* learning_rate"):
        aligner = adapter(callbacks=callbacks, early_stopping=False).fit(X, Y)
    assert aligner.best_epoch_ == 2
    assert not np.array_equal(*seen)
    np.testing.assert_array_equal(aligner.network_.coef, seen[1])  # unit rows: nothing is rescaled


@pytest.mark.parametrize("early_stopping", [False, True])
def test_learning_rate_that_is_far_too_high(early_stopping):
    params = {"adapter_dim": 4, "early_stopping": early_stopping}
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 1.*epoch 0 are kept"):
        aligner = adapter(learning_rate=1e30, **params).fit(X, Y)
    assert (aligner.n_iter_, aligner.best_epoch_, aligner.history_) == (0, 0, [])
    assert aligner.held_out_recall_ == aligner.start_recall_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = adapter(learning_rate=NO_STEP, **params, max_epochs=1).fit(X, Y)
    np.testing.assert_allclose(aligner.transform(X), start.transform(X), atol=1e-6)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_that_are_spoilt_by_the_last_step_are_not_kept(early_stopping):
    params = {"early_stopping": early_stopping, "batch_size": 120 - 12 * early_stopping}  # one step
    aligner = adapter(callbacks=[On("on_batch_end", spoil, 4)], **params).fit(X, Y)
    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        stopped = adapter(callbacks=[On("on_epoch_begin", interrupt, 4)], **params).fit(X, Y)
    np.testing.assert_array_equal(aligner.network_(X), stopped.network_(X))
    assert np.isfinite(weights(aligner)).all()
    assert aligner.best_epoch_ <= 3


def test_partial_fit_survives_a_loss_that_is_not_finite():
    aligner = adapter().partial_fit(X, Y)
    before = weights(aligner)
    aligner.set_params(callbacks=[On("on_epoch_begin", spoil)])
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 1"):
        aligner.partial_fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), before)


# Ctrl-C


@KINDS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupted_fit_is_usable(params, early_stopping):
    params = {**params, "early_stopping": early_stopping}
    stop = On("on_batch_end", interrupt, 2)
    with pytest.warns(UserWarning, match="Training was interrupted after 1 epochs"):
        aligner = adapter(callbacks=[stop], **params).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == 1
    assert np.isfinite(aligner.transform(X)).all()
    assert 0 <= aligner.score(X, Y) <= 1
    assert aligner.set_params(callbacks=None).fit(X, Y).n_iter_ == 4


@pytest.mark.parametrize("event", ["on_epoch_begin", "on_batch_begin", "on_batch_end"])
def test_fit_interrupted_in_its_first_epoch_is_the_closed_form(event):
    stop = On(event, interrupt, 1)
    with pytest.warns(UserWarning, match="interrupted after 0 epochs.*epoch 0 are kept"):
        aligner = adapter(callbacks=[stop], early_stopping=False).fit(X, Y)
    start = adapter(**UNTRAINED).fit(X, Y)
    np.testing.assert_allclose(aligner.transform(X), start.transform(X), atol=1e-6)
    assert aligner.n_iter_ == 0


# Callbacks of skorch


class Counting(Callback):
    """Counts epochs of all its instances, since skorch makes them of a class."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        Counting.epochs += 1


@pytest.mark.parametrize(
    "callbacks",
    [
        [Counting()],
        [Counting],
        [("mine", Counting())],
        [("mine", Counting)],
        Counting(),
        Counting,
        (Counting(), EpochTimer()),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_skorch_callbacks_are_called(callbacks, method):
    Counting.epochs = 0
    aligner = adapter(callbacks=callbacks)
    getattr(aligner, method)(X, Y)
    assert Counting.epochs == aligner.n_iter_ == (4 if method == "fit" else 1)
    assert clone(aligner).fit(X, Y).n_iter_ == 4


def test_several_callbacks_of_a_kind():
    Counting.epochs = 0
    adapter(callbacks=[Counting, Counting(), ("mine", Counting)]).fit(X, Y)
    assert Counting.epochs == 12


def test_callbacks_see_what_is_recorded():
    seen = []
    names = ("train_loss", "held_out_recall", "held_out_inverse_recall")
    see = On("on_epoch_end", lambda net: seen.append([net.history[-1, name] for name in names]))
    aligner = adapter(callbacks=[see]).fit(X, Y)
    assert len(seen) == 4
    for (loss, *recalls), record in zip(seen, aligner.history_, strict=True):
        assert loss == pytest.approx(record["train_loss"], rel=0.05)  # a mean by rows, by batches
        assert recalls == [record[name] for name in names[1:]]


def test_callbacks_do_not_change_the_weights():
    watched = adapter("mse", callbacks=[Counting, EpochTimer()]).fit(X, Y)
    np.testing.assert_array_equal(weights(watched), weights(adapter("mse").fit(X, Y)))


def test_error_of_a_callback_comes_through():
    def fail(net):
        raise RuntimeError("of the callback")

    aligner = adapter().fit(X, Y)
    before = weights(aligner)
    state = torch.get_rng_state()
    aligner.set_params(callbacks=[On("on_epoch_end", fail, 2)])
    with pytest.raises(RuntimeError, match="of the callback"):
        aligner.fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), before)
    assert torch.equal(torch.get_rng_state(), state)


# Steps


class Batches(Callback):
    """Keeps the first column of X of every batch, epoch by epoch."""

    def __init__(self):
        self.epochs = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append([])

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.epochs[-1] += batch[0]["x"][:, 0].tolist()


def test_every_epoch_has_the_training_pairs_in_another_order():
    seen = Batches()
    aligner = adapter(callbacks=[seen]).fit(X, Y)
    trained = np.delete(X[:, 0], aligner.held_out_indices_)
    assert len(seen.epochs) == 4
    for epoch in seen.epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.sort(trained))
    assert all(a != b for a, b in itertools.combinations(seen.epochs, 2))


@pytest.mark.parametrize("limit", [1e-3, 1e6])
def test_gradients_are_clipped(limit):
    norms = []

    def see(net):
        of_maps, of_loss = net.module_.parameters(), net.criterion_.parameters()
        gradients = [p.grad for p in itertools.chain(of_maps, of_loss)]
        norms.append(np.sqrt(sum(float((g**2).sum()) for g in gradients)))

    adapter(callbacks=[On("on_grad_computed", see)], max_grad_norm=limit).fit(X, Y)
    if limit == 1e-3:
        np.testing.assert_allclose(norms, 1e-3, rtol=1e-3)
    else:
        assert min(norms) > 0.05


def test_partial_fit_goes_on_with_the_learned_temperature():
    scales = []

    def see(net):
        scales.append(net.criterion_.log_scale.detach().clone())

    callbacks = [("first", On("on_epoch_begin", see)), ("last", On("on_epoch_end", see))]
    aligner = adapter(callbacks=callbacks, temperature=0.2, learning_rate=0.1)
    aligner.partial_fit(X, Y).partial_fit(X, Y)
    np.testing.assert_allclose(scales[0], np.log(5), rtol=1e-6)
    assert not torch.equal(scales[0], scales[1])
    assert torch.equal(scales[1], scales[2])


def test_epoch_that_finds_less_than_the_start_is_not_kept():
    # All rows of the start are right, by very little; of the next, all but one by far.
    n = 12
    start, later = np.ones((n, n)) + 0.01 * np.eye(n), np.eye(n)
    later[0, 1] = 1.1
    rows = np.eye(n, dtype=np.float32)
    made = [Network(coef, np.zeros(n)) for coef in (start, later, 2 * np.eye(n))]
    history = History()
    net = SimpleNamespace(optimizer_=SimpleNamespace(param_groups=[{"lr": 0.1}]), history=history)
    kept = Kept(PairDataset(rows, rows, np.arange(n), np.arange(n)), np.arange(n), 9, False)
    epochs = []
    for i, network in enumerate(made):
        there = Trainable(network, dropout=0, rank=None, linear=True, seed=0)
        net.module_ = BothWays(there, None)
        if i == 0:
            kept.on_train_begin(net)
            continue
        history.new_epoch()
        history.new_batch()
        history.record_batch("train_loss", 1.0)
        kept.on_epoch_begin(net)
        kept.on_epoch_end(net)
        epochs.append(kept.best_epoch)
    assert epochs == [0, 2]
    assert kept.start_recall == [1.0]
    first, second = kept.history
    assert (first["held_out_recall"], second["held_out_recall"]) == (1 - 1 / 24, 1.0)
    assert second["held_out_log_likelihood"] > first["held_out_log_likelihood"]
    assert kept.recall == [1.0]
    np.testing.assert_array_equal(kept.best[0].coef, made[2].coef)


# Callbacks of scikit-learn


def needs_sklearn_callbacks():
    pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")


class Monitor:
    """A callback of scikit-learn that writes down what it sees, and may ask to stop."""

    def __init__(self, stop_at=None):
        self.stop_at, self.log, self.estimators = stop_at, [], []

    def setup(self, estimator, context):
        self.log.append(("setup", context.max_subtasks))

    def teardown(self, estimator, context):
        self.log.append(("teardown", None))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.log.append(("begin", context.task_name))
        self.shapes = X.shape, y.shape

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.log.append(("end", context.task_name))
        if context.task_name == "epoch":
            self.estimators.append(fitted_estimator)
        return len(self.estimators) == self.stop_at

    def count(self, event, name="epoch"):
        return self.log.count((event, name))


def test_sklearn_callback_sees_a_task_an_epoch():
    needs_sklearn_callbacks()
    monitor = Monitor()
    aligner = adapter().set_callbacks(monitor).fit(X, Y)
    assert aligner.n_iter_ == 4
    assert (monitor.count("begin"), monitor.count("end")) == (4, 4)
    assert (monitor.count("begin", "fit"), monitor.count("end", "fit")) == (1, 1)
    assert monitor.log[:2] == [("setup", 4), ("begin", "fit")]
    assert monitor.log[-2:] == [("end", "fit"), ("teardown", None)]
    assert monitor.shapes == (X.shape, Y.shape)


@KINDS
def test_sklearn_callback_stops_training(params):
    needs_sklearn_callbacks()
    monitor = Monitor(stop_at=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aligner = adapter(**params).set_callbacks(monitor).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == monitor.count("end") == 2
    assert np.isfinite(aligner.transform(X)).all()
    assert monitor.log[-1] == ("teardown", None)


@KINDS
def test_sklearn_callback_gets_the_map_of_the_moment(params):
    needs_sklearn_callbacks()
    monitor = Monitor()
    aligner = adapter(**params, early_stopping=False).set_callbacks(monitor).fit(X, Y)
    second, last = monitor.estimators[1], monitor.estimators[-1]
    np.testing.assert_array_equal(last.transform(X), aligner.transform(X))
    back = aligner.transform(X)
    np.testing.assert_array_equal(last.inverse_transform(back), aligner.inverse_transform(back))
    with pytest.warns(UserWarning, match="interrupted"):
        stopped = adapter(
            **params, early_stopping=False, callbacks=[On("on_epoch_begin", interrupt, 3)]
        ).fit(X, Y)
    np.testing.assert_array_equal(second.transform(X), stopped.transform(X))


def test_sklearn_callback_is_torn_down_after_an_error():
    needs_sklearn_callbacks()
    monitor = Monitor()
    aligner = adapter(callbacks=[On("on_epoch_begin", kill, 2)]).set_callbacks(monitor)
    with pytest.raises(Killed):
        aligner.fit(X, Y)
    assert monitor.log[-1] == ("teardown", None)
    assert monitor.count("end") == 1


@pytest.mark.parametrize("params", [{}, {"shared": True}])
def test_scoring_monitor(params):
    needs_sklearn_callbacks()
    from sklearn.callback import ScoringMonitor

    scoring = {"score": lambda estimator, X, y: estimator.score(X, y)}
    monitor = ScoringMonitor(scoring=scoring)
    aligner = adapter(**params, early_stopping=False).set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4
    assert rows[-1]["score"] == pytest.approx(aligner.score(X, Y))


# The bar


def test_bar_goes_to_stderr(capsys):
    adapter(verbose=True).fit(X, Y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4" in err
    assert "train_loss=" in err
    assert "held_out_recall=" in err


def test_bar_of_an_interrupted_fit_ends_its_line(capsys):
    with pytest.warns(UserWarning, match="interrupted"):
        adapter(verbose=True, callbacks=[On("on_epoch_begin", interrupt, 3)]).fit(X, Y)
    err = capsys.readouterr().err
    assert "2/4" in err
    assert err.endswith("\n")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_silent_without_verbose(capsys, method):
    getattr(adapter(), method)(X, Y)
    assert capsys.readouterr() == ("", "")


def test_verbose_does_not_change_the_weights():
    loud = adapter("mse", verbose=True).fit(X, Y)
    np.testing.assert_array_equal(weights(loud), weights(adapter("mse").fit(X, Y)))


# Checkpoints

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


def killed_fit(folder, epoch=3, event="on_batch_end", data=(X, Y), **params):
    with pytest.raises(Killed):
        adapter(checkpoint=folder, callbacks=[On(event, kill, epoch)], **params).fit(*data)


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


# Batches


def batches(data, seed=0, epoch=0, batch_size=16, pool=0):
    made = PairBatches(data, batch_size, seed=seed, epoch=lambda: epoch, device="cpu", pool=pool)
    out = list(made)
    assert len(made) == len(out)
    return out


def numbered(n=100, n_trained=90):
    """Rows that say their number, of which some are trained on."""
    A = np.column_stack([np.arange(n), np.ones(n)]).astype(np.float64)
    rows = np.random.default_rng(0).permutation(n)[:n_trained]
    return PairDataset(A, -A, np.sort(rows), np.arange(n) // 2)


def order_of(made):
    return [inputs["x"][:, 0].int().tolist() for inputs, _ in made]


@pytest.mark.parametrize("batch_size", [1, 7, 16, 89, 90])
def test_every_row_comes_once_an_epoch(batch_size):
    data = numbered()
    order = order_of(batches(data, batch_size=batch_size))
    assert sorted(itertools.chain(*order)) == data.rows.tolist()
    sizes = [len(one) for one in order]
    assert max(sizes) - min(sizes) <= 1
    assert len(order) == n_batches(90, batch_size)
    assert np.mean(sizes) == pytest.approx(batch_size, rel=0.15)


def test_rows_of_a_batch_stay_together():
    for inputs, (x, y, groups) in batches(numbered()):
        assert set(inputs) == {"x", "y"}
        assert torch.equal(inputs["x"], x)
        assert torch.equal(inputs["y"], y)
        assert torch.equal(x, -y)
        assert torch.equal(groups, x[:, 0].int() // 2)
        assert {x.dtype, y.dtype} == {torch.float32}


def test_order_hangs_on_seed_and_epoch_alone():
    data = numbered()
    order = order_of(batches(data, 3, 5))
    assert order == order_of(batches(data, 3, 5))
    assert order != order_of(batches(data, 3, 6))
    assert order != order_of(batches(data, 4, 5))


def test_pool_is_drawn_anew_in_every_epoch():
    data = numbered()
    drawn = []
    for epoch in range(2):
        made = batches(data, epoch=epoch, pool=30)
        pools = [rest for _, (_, _, _, *rest) in made]
        for of_y, of_x, groups in pools:
            assert torch.equal(of_y, -of_x)
            assert groups.tolist() == data.groups[of_x[:, 0].long()].tolist()
            assert torch.equal(of_x, pools[0][1])
        drawn.append(pools[0][1][:, 0].int().tolist())
        assert len(set(drawn[-1])) == 30
        assert set(drawn[-1]) <= set(data.rows)
    assert drawn[0] != drawn[1]


def test_rows_come_in_units_and_stay_as_they_are():
    A = np.random.default_rng(0).normal(size=(50, 3))
    before = A.copy()
    data = PairDataset(A, 10 * A, np.arange(50), np.arange(50), (2.0, 5.0))
    for x, y in [data.take(np.array([3, 1])), data.take(np.arange(50))]:
        np.testing.assert_allclose(y, 4 * x, rtol=1e-5)
    np.testing.assert_allclose(data.take(np.arange(50))[0], A / 2, rtol=1e-6)
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize(("size", "unit"), [(30.0, 30.0), (0.1, 0.1), (1.3, 1.0), (0.0, 1.0)])
def test_unit_is_the_size_of_the_rows(size, unit):
    A = np.random.default_rng(0).normal(size=(50, 3))
    A *= size / np.sqrt((A**2).sum(axis=1).mean())
    assert unit_of(A) == pytest.approx(unit)
    assert unit_of(A.astype(np.float32)) == pytest.approx(unit, rel=1e-5)


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_held_out_rows_share_no_group_with_the_others(fraction, seed):
    groups = np.unique(np.random.default_rng(seed).integers(0, 150, 300), return_inverse=True)[1]
    rows, held_out = hold_out(groups, fraction, seed)
    assert np.union1d(rows, held_out).tolist() == list(range(300))
    assert len(rows) + len(held_out) == 300
    assert not set(groups[rows]) & set(groups[held_out])
    largest = np.bincount(groups).max()
    assert fraction * 300 - largest <= len(held_out) <= fraction * 300 + 2 * largest


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(30_000, 0.1, 1_000), (30_000, 0.01, 300), (5_000, 0.1, 500), (1_200, 0.99, 1_000)],
)
def test_at_most_a_thousand_pairs_are_held_out(n, fraction, expected):
    rows, held_out = hold_out(np.arange(n), fraction, 0)
    assert (len(rows), len(held_out)) == (n - expected, expected)


def test_held_out_rows_hang_on_the_seed():
    first, again, other = (hold_out(np.arange(300), 0.1, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_sentence_that_is_everywhere_is_trained_on():
    groups = np.concatenate([np.arange(60), np.full(140, 60)])
    for seed in range(20):
        rows, held_out = hold_out(groups, 0.1, seed)
        assert len(held_out) <= 40
        assert len(rows) >= 160


# Learning rates


def rates(**params):
    """The learning rate of every step."""
    seen = []

    def see(net):
        (rate,) = {group["lr"] for group in net.optimizer_.param_groups}
        seen.append(rate)

    aligner = adapter(callbacks=[On("on_batch_end", see)], **params).fit(X, Y)
    return np.array(seen), aligner


@pytest.mark.parametrize("params", [{}, {"adapter_dim": 4}, {"shared": True}, {"loss": "mse"}])
def test_learning_rate_rises_and_falls_to_zero(params):
    params = {"max_epochs": 5, "batch_size": 10, "learning_rate": 0.003, **params}
    seen, aligner = rates(**params, early_stopping=False)
    assert len(seen) == 60  # twelve batches an epoch
    assert 0.9 * 0.003 < seen.max() <= 0.003
    top = seen.argmax()
    assert top in (5, 6)  # a tenth of the steps
    np.testing.assert_allclose(np.diff(seen[:6]), seen[1] - seen[0])
    assert seen[0] < 0.003 / 6
    assert (np.diff(seen[top:]) < 0).all()
    assert seen[-1] < 1e-3 * 0.003
    middle = seen[6:]  # half of a cosine is symmetric about its middle
    np.testing.assert_allclose(middle + middle[::-1], 0.003, rtol=1e-6)
    assert [h["learning_rate"] for h in aligner.history_] == pytest.approx(list(seen[11::12]))


def test_rates_of_a_fit_that_is_taken_up(tmp_path):
    whole, _ = rates()
    killed_fit(tmp_path)
    seen, _ = rates(checkpoint=tmp_path)
    np.testing.assert_array_equal(seen, whole[len(whole) // 2 :])


def test_one_cycle_of_a_single_step_trains():
    net = SimpleNamespace(optimizer_=SimpleNamespace(param_groups=[{}, {}]))
    cycle = OneCycle(0.01, 1, 1, SimpleNamespace(history=[]))
    cycle.on_epoch_begin(net)
    cycle.on_batch_begin(net)
    first, second = (group["lr"] for group in net.optimizer_.param_groups)
    assert first == second
    assert 0.003 < first <= 0.01
