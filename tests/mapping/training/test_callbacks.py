"""Callbacks of skorch and of scikit-learn, and the learning rates."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import EpochTimer

from langalign_sk.mapping.training.callbacks import OneCycle
from tests.mapping.training.cases import (
    KINDS,
    Counting,
    Killed,
    On,
    X,
    Y,
    adapter,
    interrupt,
    kill,
    killed_fit,
    weights,
)

# Callbacks of skorch


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
