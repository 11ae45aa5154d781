"""Fits of other packages and of ours: ``python -m benchmarks.peers.models DIR NAME``.

One process fits one model. DIR holds arrays.npz: the pairs "X" and "Y", and test rows by the names
"task ...", "X ..." and "Y ...". The process writes measured.json, and the moved test rows as
moved.npz.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from langalign_sk.metrics import retrieval_scores

from .._lib.machine import resident_bytes
from .._lib.timing import seconds
from .distillation import distilled

ONE_SPACE, INTO_MINILM, UNPAIRED = "one space", "into MiniLM", "one space, unpaired"
# A fit that takes less than SLOW seconds is repeated.
SLOW, REPEATS = 10, 3
HELD_OUT = 0.1
TRANSFORM_ROWS, TRANSFORM_TEXTS, TRANSFORM_REPEATS = 20_000, 50, 5
NO_IMPORT = "cannot be imported"


class Moves(NamedTuple):
    """A fitted map; one of the two ways may be missing."""

    there: Callable | None  # rows of X into the space of Y
    shared: tuple[Callable, Callable] | None = None  # rows of X and of Y into a third space
    setting: str = ""  # what was chosen


class Peer(NamedTuple):
    """A row of the table: `prepare` imports the package and returns ``fit(X, Y) -> Moves``."""

    prepare: Callable
    blocks: tuple[str, ...]
    quick: bool = False  # part of the smoke run
    slow: bool = False  # left for the end


def chosen(X, Y, make, grid):
    """Model with the setting that finds most held-out translations, fitted on all pairs."""
    order = np.random.default_rng(0).permutation(len(X))
    held, rest = np.split(order, [int(HELD_OUT * len(X))])

    def recall(value):
        moves = make(X[rest], Y[rest], value)
        to_x, to_y = moves.shared or (moves.there, same)
        return retrieval_scores(to_x(X[held]), to_y(Y[held])).recall_at_1

    best = max(grid, key=recall)
    return make(X, Y, best)._replace(setting=str(best))


def same(rows):
    return rows


def no_alignment():
    return lambda X, Y: Moves(same)


def linear(*args, **settings):
    def prepare():
        from langalign_sk import LinearAligner

        def fit(X, Y):
            model = LinearAligner(*args, random_state=0, **settings).fit(X, Y)
            setting = model.method_ + (f", alpha={model.alpha_:g}" if model.alpha_ else "")
            if model.shared:
                return Moves(None, (model.transform, model.transform_counterparts), setting)
            return Moves(model.transform, None, setting)

        return fit

    return prepare


def adapter():
    import torch  # noqa: F401  (AdapterAligner loads it late, and a service has it loaded)

    from langalign_sk.mapping import AdapterAligner

    def fit(X, Y):
        model = AdapterAligner(inverse=False, random_state=0, device="cpu").fit(X, Y)
        return Moves(model.transform, None, f"from {model.start_}, epoch {model.best_epoch_}")

    return fit


def scipy_procrustes(centred):
    def prepare():
        from scipy.linalg import orthogonal_procrustes

        def fit(X, Y):
            x, y = (X.mean(axis=0), Y.mean(axis=0)) if centred else (0, 0)
            R, _ = orthogonal_procrustes(X - x, Y - y)
            return Moves(lambda rows: (rows - x) @ R + y)

        return fit

    return prepare


def regression(name, **settings):
    """A regressor of scikit-learn."""

    def prepare():
        from sklearn import linear_model

        def fit(X, Y):
            model = getattr(linear_model, name)(**settings).fit(X, Y)
            alpha = getattr(model, "alpha_", None)
            return Moves(model.predict, None, "" if alpha is None else f"alpha={alpha:g}")

        return fit

    return prepare


def cross_decomposition(name, sizes=None, **settings):
    """CCA and PLS of scikit-learn, with its number of components or one of `sizes`."""

    def prepare():
        from sklearn import cross_decomposition

        def make(X, Y, size=2):
            model = getattr(cross_decomposition, name)(n_components=size, **settings).fit(X, Y)
            # transform(X, y) moves both sides at once, and needs rows of X to move those of y.
            shared = model.transform, lambda rows: model.transform(np.zeros_like(X[:1]), rows)[1]
            return Moves(getattr(model, "predict", None), shared)

        def fit(X, Y):
            if sizes is None:
                return make(X, Y)
            return chosen(X, Y, make, [min(size, X.shape[1], Y.shape[1]) for size in sizes])

        return fit

    return prepare


def cut(grid, width):
    """A grid of (components, value), with no more components than the narrower width has."""
    return list(dict.fromkeys((min(size, width), value) for size, value in grid))


def ridge_cca(grid=None):
    """RidgeCCA of cca-zoo: its defaults, or (components, shrinkage) of a grid."""

    def prepare():
        from cca_zoo.linear import RidgeCCA

        def make(X, Y, value):
            size, shrinkage = value
            model = RidgeCCA(size, shrinkage=shrinkage).fit([X, Y])

            # transform needs rows of both sides, and predict does not.
            def to_x(rows):
                return model.transform([rows, np.zeros((len(rows), Y.shape[1]), rows.dtype)])[0]

            def to_y(rows):
                return model.transform([np.zeros((len(rows), X.shape[1]), rows.dtype), rows])[1]

            return Moves(lambda rows: model.predict([rows, None])[1], (to_x, to_y))

        def fit(X, Y):
            if grid is None:
                return make(X, Y, (1, 0.0))
            return chosen(X, Y, make, cut(grid, min(X.shape[1], Y.shape[1])))

        return fit

    return prepare


def latentis_translator(grid=None):
    """Translators of latentis: its Procrustes, or (solution, scaling) of a grid."""

    def prepare():
        import torch
        from latentis.transform import base
        from latentis.transform.dim_matcher import ZeroPadding
        from latentis.transform.translate import MatrixAligner, Procrustes, Translator, functional

        def make(X, Y, value):
            if value is None:
                model = Procrustes()
            else:
                solution, scaling = value
                aligner = MatrixAligner(solution, getattr(functional, f"{solution}_align_state"))
                scale = getattr(base, scaling)
                model = Translator(aligner, None, scale(), scale(), ZeroPadding())
            model.fit(torch.from_numpy(X), torch.from_numpy(Y))
            return Moves(lambda rows: model.transform(torch.from_numpy(rows))[0].numpy())

        def fit(X, Y):
            return make(X, Y, None) if grid is None else chosen(X, Y, make, grid)

        return fit

    return prepare


def gensim_matrix():
    from gensim.models import KeyedVectors
    from gensim.models.translation_matrix import Space, TranslationMatrix

    def keyed(rows, keys):
        vectors = KeyedVectors(rows.shape[1], count=len(rows))
        vectors.add_vectors(keys, rows)
        return vectors

    def fit(X, Y):
        keys = [str(i) for i in range(len(X))]
        model = TranslationMatrix(
            keyed(X, keys), keyed(Y, keys), list(zip(keys, keys, strict=True))
        )

        def move(rows):
            space = Space(rows, range(len(rows)))
            space.normalize()  # as its method translate does
            return model.apply_transmat(space).mat

        return Moves(move)

    return fit


class RowModel:
    """What babelvec's aligners ask of a model, with the numbers of rows for sentences."""

    def __init__(self, rows):
        self.rows, self.dim = rows, rows.shape[1]

    def get_sentence_vector(self, sentence, method):
        return self.rows[sentence]


def babelvec_aligner(name):
    def prepare():
        from babelvec.training import alignment

        def fit(X, Y):
            np.random.seed(0)  # noqa: NPY002  (it shuffles by the global state)
            pairs = [(i, i) for i in range(len(X))]
            R = getattr(alignment, name)().align_pair(RowModel(X), RowModel(Y), pairs)
            return Moves(lambda rows: rows @ R)

        return fit

    return prepare


def linear_transport(grid=None):
    """Transport between Gaussians of POT: no row knows its counterpart."""

    def prepare():
        from ot.da import LinearTransport

        def make(X, Y, reg):
            other = Y[np.random.default_rng(1).permutation(len(Y))]
            model = LinearTransport(**({} if reg is None else {"reg": reg})).fit(Xs=X, Xt=other)
            return Moves(lambda rows: model.transform(Xs=rows))

        def fit(X, Y):
            return make(X, Y, None) if grid is None else chosen(X, Y, make, grid)

        return fit

    return prepare


CHOSEN = "on held-out pairs"
ALPHAS = tuple(np.logspace(-3, 3, 13))
SIZES = (64, 128, 256, 512)
SHRINKAGES = tuple((size, c) for size in (64, 128, 256, 512) for c in (1e-3, 1e-2))
SOLUTIONS = tuple(
    (solution, scaling)
    for solution in ("svd", "lstsq", "lstsq_ortho")
    for scaling in ("Centering", "StandardScaling")
)
ONE, EVERY = (ONE_SPACE,), (ONE_SPACE, INTO_MINILM)
PEERS = {
    "no alignment": Peer(no_alignment, (ONE_SPACE, UNPAIRED), quick=True),
    'LinearAligner("procrustes")': Peer(linear("procrustes"), EVERY, quick=True),
    'LinearAligner("ridge")': Peer(linear("ridge"), EVERY, quick=True),
    'LinearAligner("spectral")': Peer(linear("spectral"), EVERY),
    "LinearAligner()": Peer(linear(), EVERY, quick=True),
    "LinearAligner(shared=True)": Peer(linear(shared=True), EVERY),
    "AdapterAligner()": Peer(adapter, EVERY, quick=True),
    "scipy orthogonal_procrustes": Peer(scipy_procrustes(False), ONE, quick=True),
    "scipy orthogonal_procrustes, centred by hand": Peer(scipy_procrustes(True), ONE),
    "scikit-learn LinearRegression()": Peer(regression("LinearRegression"), EVERY, quick=True),
    "scikit-learn Ridge()": Peer(regression("Ridge"), EVERY, quick=True),
    "scikit-learn RidgeCV, 13 alphas": Peer(regression("RidgeCV", alphas=ALPHAS), EVERY),
    "scikit-learn PLSSVD()": Peer(cross_decomposition("PLSSVD"), EVERY),
    f"scikit-learn PLSSVD, components {CHOSEN}": Peer(cross_decomposition("PLSSVD", SIZES), EVERY),
    "scikit-learn PLSCanonical()": Peer(cross_decomposition("PLSCanonical"), EVERY),
    "scikit-learn CCA()": Peer(cross_decomposition("CCA"), EVERY),
    "cca-zoo RidgeCCA()": Peer(ridge_cca(), EVERY),
    f"cca-zoo RidgeCCA, components and shrinkage {CHOSEN}": Peer(ridge_cca(SHRINKAGES), EVERY),
    "latentis Procrustes()": Peer(latentis_translator(), EVERY),
    f"latentis Translator, solution and scaling {CHOSEN}": Peer(
        latentis_translator(SOLUTIONS), EVERY
    ),
    "gensim TranslationMatrix": Peer(gensim_matrix, EVERY),
    "babelvec ProcrustesAligner()": Peer(babelvec_aligner("ProcrustesAligner"), ONE),
    "POT LinearTransport()": Peer(linear_transport(), (UNPAIRED,)),
    f"POT LinearTransport, reg {CHOSEN}": Peer(
        linear_transport((1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)), (UNPAIRED,)
    ),
    f"scikit-learn PLSCanonical(algorithm='svd'), components {CHOSEN}": Peer(
        cross_decomposition("PLSCanonical", (64, 128), algorithm="svd"), EVERY, slow=True
    ),
    f"scikit-learn CCA, components {CHOSEN}": Peer(
        cross_decomposition("CCA", (4, 16)), EVERY, slow=True
    ),
    "babelvec EnsembleAligner()": Peer(babelvec_aligner("EnsembleAligner"), ONE, slow=True),
}
DISTILLATION = "sentence-transformers MSELoss"


def moved_rows(moves, arrays):
    """The test rows where a map puts them; those it cannot move are left out."""
    out = {}
    for key, rows in arrays.items():
        side = key.split()[0]
        if side == "task":
            if moves.there:
                out[key] = moves.there(rows)
        elif moves.shared:
            out[key] = moves.shared[side == "Y"](rows)
        else:
            out[key] = moves.there(rows) if side == "X" else rows
    return out


def measured(fit, X, Y, rows):
    """A fitted map, and its costs."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = resident_bytes("VmRSS")
    taken, moves = seconds(fit, X, Y)
    peak, times = resident_bytes("VmHWM"), [taken]
    while max(times) < SLOW and len(times) < REPEATS:
        taken, moves = seconds(fit, X, Y)
        times.append(taken)
    if moves.there is same:
        return moves, {"setting": ""}
    move, rates = moves.there or moves.shared[0], []
    for _ in range(TRANSFORM_REPEATS):
        taken, _ = seconds(move, rows)
        rates.append(len(rows) / taken)
    return moves, {
        "fit_s": float(np.median(times)),
        "rows_per_s": float(np.median(rates)),
        "peak_mb": (peak - before) / 1e6,
        "setting": moves.setting,
    }


def main(folder, name, budget=None):
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    X, Y = arrays.pop("X"), arrays.pop("Y")
    try:
        if name == DISTILLATION:
            arrays |= json.loads((folder / "texts.json").read_text())
            rows = arrays.pop("X")[:TRANSFORM_TEXTS]

            def fit(X, Y):
                encode, setting = distilled(folder, Y, budget, HELD_OUT)
                return Moves(encode, None, setting)

        else:
            rows, fit = np.resize(X, (TRANSFORM_ROWS, X.shape[1])), PEERS[name].prepare()
        moves, costs = measured(fit, X, Y, rows)
        np.savez(folder / "moved.npz", **moved_rows(moves, arrays))
    except ImportError as error:
        costs = {"absent": f"{NO_IMPORT}: {error}"}
    except Exception as error:  # the reason is the result
        costs = {"absent": f"{type(error).__name__}: {str(error)[:200]}"}
    (folder / "measured.json").write_text(json.dumps(costs))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:]))
