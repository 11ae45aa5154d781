"""Settings of training, and what None stands for."""

import pytest

from langalign_sk.mapping import AdapterAligner
from langalign_sk.mapping.settings import settings_of


def settings(*args, **params):
    return settings_of(AdapterAligner(*args, **params))


@pytest.mark.parametrize(
    ("loss", "params", "expected"),
    [
        ("contrastive", {}, ("residual", "retrieval", False, 0.1, 2e-3, 1e-3, 10)),
        ("contrastive", {"shared": True}, ("residual", "retrieval", False, 0.1, 2e-3, 5e-4, 10)),
        ("mse", {}, ("fc", "head", True, 0.0, 20.0, 1e-5, 4)),
        ("autoencoder", {}, ("ae", "head", True, 0.0, 20.0, 1e-5, 4)),
        ("contrastive", {"architecture": "fc"}, ("fc", "retrieval", True, 0.0, 20.0, 1e-5, 4)),
        ("mse", {"init": "random"}, ("fc", "head", False, 0.1, 0.0, 1e-3, 10)),
        ("mse", {"architecture": "residual"}, ("residual", "head", False, 0.1, 2e-3, 1e-3, 10)),
    ],
)
def test_defaults_go_with_the_networks(loss, params, expected):
    found = settings(loss, **params)
    names = ("architecture", "objective", "from_closed_form")
    names += ("dropout", "weight_decay", "learning_rate", "max_epochs")
    assert tuple(getattr(found, name) for name in names) == expected


def test_what_is_given_counts():
    given = {"dropout": 0.5, "weight_decay": 0.0, "learning_rate": 0.1, "max_epochs": 7}
    for loss in ("contrastive", "mse"):
        found = settings(loss, objective="retrieval", **given)
        assert {name: getattr(found, name) for name in given} == given
        assert found.objective == "retrieval"


def test_random_weights_are_not_pulled_anywhere():
    assert settings("mse", init="random", weight_decay=3.0).weight_decay == 0


@pytest.mark.parametrize(
    ("loss", "n_rows", "size"),
    [
        ("contrastive", 100, 100),
        ("contrastive", 3_000, 300),
        ("contrastive", 100_000, 2_048),
        ("mse", 50, 50),
        ("mse", 1_000, 64),
        ("mse", 4_000, 100),
        ("mse", 100_000, 512),
    ],
)
def test_batch_size_goes_with_the_number_of_rows(loss, n_rows, size):
    assert settings(loss).batch_size_for(n_rows) == size


def test_batch_larger_than_the_rows_is_said():
    with pytest.warns(UserWarning, match="batch_size=64 is more than the 50 pairs to train on"):
        assert settings("mse", batch_size=64).batch_size_for(50) == 50
