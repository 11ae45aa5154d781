"""AdapterAligner among scikit-learn's tools."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from tests.mapping.adapter.cases import (
    adapter,
    bent_pairs,
    learner,
    noisy_pairs,
    unit_rows,
    weights,
)

SAVED = pytest.mark.parametrize(
    "params", [{}, {"adapter_dim": 4}, {"loss": "mse"}, {"shared": True}, {"warm_start": True}]
)


@SAVED
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_pickle(params, method):
    X, Y = noisy_pairs(60)
    aligner = getattr(adapter(**params), method)(X, Y)
    copy = pickle.loads(pickle.dumps(aligner))
    np.testing.assert_array_equal(copy.transform(X), aligner.transform(X))
    np.testing.assert_array_equal(copy.inverse_transform(Y), aligner.inverse_transform(Y))
    assert copy.history_ == aligner.history_
    assert copy.get_params() == aligner.get_params()
    copy.partial_fit(X, Y)
    aligner.partial_fit(X, Y)
    np.testing.assert_array_equal(weights(copy), weights(aligner))


_WITHOUT_TORCH = """
import pickle, sys
import numpy as np
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        aligner, X, Y, moved, back, score = pickle.load(file)
    assert np.allclose(aligner.transform(X), moved, atol=1e-6)
    assert np.allclose(aligner.inverse_transform(moved), back, atol=1e-6)
    assert aligner.score(X, Y) == score
assert "torch" not in sys.modules, "torch was loaded"
assert "skorch" not in sys.modules, "skorch was loaded"
print("moved without torch")
"""


@pytest.mark.slow
def test_serving_a_pickle_does_not_load_torch(tmp_path):
    X, Y = (A.astype(np.float32) for A in noisy_pairs(60))
    paths = []
    for i, params in enumerate(({"adapter_dim": 4}, {"loss": "mse"}, {"shared": True})):
        aligner = adapter(**params).fit(X, Y)
        moved = aligner.transform(X)
        saved = aligner, X, Y, moved, aligner.inverse_transform(moved), aligner.score(X, Y)
        paths.append(tmp_path / f"{i}.pickle")
        paths[-1].write_bytes(pickle.dumps(saved))
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, *map(str, paths)], capture_output=True, text=True
    )
    assert done.stdout == "moved without torch\n", done.stderr


def test_clone_keeps_parameters_and_forgets_the_fit():
    aligner = adapter(adapter_dim=3, temperature=0.1, early_stopping=False)
    copy = clone(aligner.fit(*noisy_pairs(60)))
    assert copy.get_params() == aligner.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    with pytest.raises(NotFittedError, match="AdapterAligner"):
        copy.transform(noisy_pairs(60)[0])


@pytest.mark.parametrize("params", [{}, {"loss": "mse"}, {"shared": True}])
def test_names_and_frames(params):
    X, Y = noisy_pairs(60, 6, 4)
    names = [f"adapteraligner{i}" for i in range(4)]
    columns = list("abcdef")
    aligner = adapter(**params).fit(pd.DataFrame(X, columns=columns), Y)
    assert aligner.feature_names_in_.tolist() == columns
    assert aligner.get_feature_names_out().tolist() == names
    plain = adapter(**params).fit(X, Y).transform(X)
    aligner.set_output(transform="pandas")
    frame = aligner.transform(pd.DataFrame(X, columns=columns, index=range(9, 69)))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names
    assert frame.index.tolist() == list(range(9, 69))
    np.testing.assert_array_equal(frame, plain)


def test_grid_search_over_the_width():
    X, Y = bent_pairs()
    search = GridSearchCV(learner(), {"adapter_dim": [0, 16]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"adapter_dim": 16}  # a linear adapter does not see sizes
    assert search.best_estimator_.network_.layers


@pytest.mark.gpu
def test_training_on_a_gpu_gives_about_the_same_map():
    if torch.cuda.is_available():
        device = "cuda"
    elif torch.backends.mps.is_available():
        device = "mps"
    else:
        pytest.skip("there is neither a CUDA nor an MPS device")
    X, Y = (A.astype(np.float32) for A in bent_pairs())
    on_cpu = learner(early_stopping=False).fit(X, Y)
    on_gpu = learner(early_stopping=False, device=device).fit(X, Y)
    assert isinstance(on_gpu.network_.coef, np.ndarray)
    cosines = (unit_rows(on_gpu.transform(X)) * unit_rows(on_cpu.transform(X))).sum(axis=1)
    assert np.median(cosines) > 0.98
    assert on_gpu.score(X, Y) > 0.7 * on_cpu.score(X, Y)
