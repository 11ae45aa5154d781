"""Warnings that point at the user's line, checks of parameters, and forgotten attributes."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from langalign_sk._utils.validation import (
    check_choice,
    check_grid,
    check_number,
    ensured,
    forget,
    warn_user,
)

X = np.random.default_rng(0).normal(size=(12, 2))
# A module that says it is one of the package.
IN_PACKAGE = """
class Warns(BaseEstimator):
    def __init__(self, depth=0):
        self.depth = depth

    def fit(self, X, y=None):
        return self.deeper(self.depth)

    def deeper(self, depth):
        if depth:
            return self.deeper(depth - 1)
        warn_user("look here")
        return self

    def score(self, X, y=None):
        return 0.0
"""


@pytest.fixture(scope="module")
def warns():
    names = {
        "__name__": "langalign_sk.somewhere",
        "BaseEstimator": BaseEstimator,
        "warn_user": warn_user,
    }
    exec(compile(IN_PACKAGE, "somewhere.py", "exec"), names)
    return names["Warns"]


def assert_points_into(user):
    """All warnings of a function of this file point at its lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        user()
    lines, first = inspect.getsourcelines(user)
    assert caught
    for warning in caught:
        assert warning.category is UserWarning
        assert str(warning.message) == "look here"
        assert warning.filename == __file__
        assert first <= warning.lineno < first + len(lines)


# warn_user


@pytest.mark.parametrize("depth", [0, 1, 6])
def test_a_warning_points_at_the_line_of_the_caller(depth, warns):
    def user():
        warns(depth).fit(X)

    assert_points_into(user)


def test_frames_of_a_pipeline_are_passed_over(warns):
    def user():
        make_pipeline("passthrough", warns()).fit(X)

    assert_points_into(user)


def test_frames_of_a_search_are_passed_over(warns):
    def user():
        cross_val_score(warns(), X, cv=2, error_score="raise")
        GridSearchCV(warns(), {"depth": [0, 2]}, cv=2).fit(X)

    assert_points_into(user)


def test_functions_of_the_user_are_not_passed_over(warns):
    def helper():
        warns().fit(X)

    def user():
        helper()

    with pytest.warns(UserWarning, match="look here") as caught:
        user()
    assert caught[0].lineno == inspect.getsourcelines(helper)[1] + 1


def test_each_line_of_the_user_is_warned_once(warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warns().fit(X)
            warns().fit(X)
    assert len(caught) == 2


def test_filters_by_module_are_about_the_module_of_the_user(warns):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        warns().fit(X)


def test_the_category_is_the_one_that_is_asked_for():
    with pytest.warns(RuntimeWarning, match="of this kind"):
        warn_user("of this kind", RuntimeWarning)


# Checks


@pytest.mark.parametrize("value", ["a", np.str_("a"), 1, None])
def test_choices(value):
    check_choice("kind", value, ["a", 1, None])


@pytest.mark.parametrize("value", ["c", True, 1.0, [], ["a"], np.arange(3), "A"])
def test_what_is_not_a_choice(value):
    with pytest.raises(ValueError, match=r"^kind must be one of \('a', 1, None\), got "):
        check_choice("kind", value, ["a", 1, None])


NUMBERS = {
    "int": (numbers.Integral, lambda n: n > 0, "a positive int"),
    "float": (numbers.Real, lambda x: 0 <= x <= 1, "a number in [0, 1]"),
}


@pytest.mark.parametrize(
    ("which", "value"),
    [("int", 3), ("int", np.int64(3)), ("float", 0), ("float", 0.5), ("float", np.float32(1))],
)
def test_numbers(which, value):
    check_number("n", value, *NUMBERS[which])


@pytest.mark.parametrize(
    ("which", "value"),
    [
        ("int", 0),
        ("int", 3.0),
        ("int", "3"),
        ("int", None),
        ("int", True),
        ("int", np.bool_(True)),
        ("float", 1.5),
        ("float", math.nan),
        ("float", True),
        ("float", 1j),
        ("float", np.array(0.5)),
    ],
)
def test_what_is_not_a_number_in_the_range(which, value):
    expected = NUMBERS[which][2].replace("[", r"\[")
    with pytest.raises(ValueError, match=rf"^n must be {expected}, got "):
        check_number("n", value, *NUMBERS[which])


GRID = (numbers.Real, lambda x: x > 0, "a positive number or a sequence of them")


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (1, [1]),
        (0.5, [0.5]),
        ([1, 2.5], [1, 2.5]),
        ((3,), [3]),
        (np.array([1.0, 10.0]), [1.0, 10.0]),
        (range(1, 3), [1, 2]),
    ],
)
def test_grids(value, values):
    assert check_grid("alpha", value, *GRID) == values


@pytest.mark.parametrize("value", [0, -1.0, [], (1, 0), ["a"], "1", None, [[1.0]], [math.nan]])
def test_what_is_not_a_grid(value):
    with pytest.raises(ValueError, match=r"^alpha must be a positive number or a sequence of "):
        check_grid("alpha", value, *GRID)


# forget


def test_attributes_of_an_earlier_fit_are_forgotten(warns):
    estimator = warns(depth=4)
    estimator.coef_, estimator.report_ = 1, 2
    forget(estimator, "coef_", "never_set_")
    assert vars(estimator) == {"depth": 4, "report_": 2}


def test_attributes_of_the_class_stay():
    class WithDefault:
        seen_ = None

    thing = WithDefault()
    thing.seen_ = 3
    forget(thing, "seen_")
    forget(thing, "seen_")
    assert thing.seen_ is None


def test_a_value_that_must_be_there():
    assert ensured(0, "prior") == 0
    with pytest.raises(RuntimeError, match=r"prior is None .* report"):
        ensured(None, "prior")
