"""Smoke run: ratios within a small run, and bounds that they keep on any machine."""

import math

from langalign_sk import CrossLingualAligner

from ._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from ._lib.data import data_folder
from ._lib.machine import machine
from ._lib.timing import in_own_process
from .costs import scale
from .grid.cells import Cells
from .grid.methods import AUTO, BRIDGE, CLOSED
from .grid.systems import Setup, itself, minilm
from .peers import run as peers

N, LANG, TASK, SET = 300, "ko", "sib200", "tatoeba"
RIDGE = "ridge"
# Lowest and highest value of every ratio. Those of seconds and bytes are wide enough for a machine
# that has other work to do.
SCORES: dict[str, tuple[float | None, float | None]] = {
    "accuracy of a bridge / of English test rows": (0.85, 1.1),
    "accuracy of a bridge / of text fed straight in": (1.5, None),
    "recall of auto / of no alignment": (0.995, None),
    "recall of ridge / of no alignment": (0.98, None),
    "recall of our Procrustes / of scipy's": (0.98, None),
    "recall of LinearAligner() / of least squares": (1.05, None),
}
COSTS: dict[str, tuple[float | None, float | None]] = {
    "fit of our Procrustes / of scipy's, seconds": (None, 5.0),
    "procrustes_fit_over_floor": (None, 4.0),
    "ridge_fit_over_floor": (None, 4.0),
    "spectral_fit_over_floor": (None, 6.0),
    "auto_fit_over_floor": (None, 12.0),
    "ridge_fit_over_sklearn_ridge": (None, 3.0),
    "auto_peak_over_inputs": (None, 2.0),
    "transform_rate_over_bare": (0.4, None),
    "import_over_sklearn": (None, 0.5),
    "linear_aligner_import_over_sklearn": (None, 2.5),
}
BOUNDS = {**SCORES, **COSTS}


def main() -> None:
    """Print every ratio beside its bounds, and exit with an error if one is not within them."""
    print(machine(), "\n")
    ratios = measure()
    show(ratios)
    wrong = outside(ratios, BOUNDS)
    if wrong:
        raise SystemExit(f"out of bounds: {'; '.join(wrong)}")


def measure() -> dict[str, float]:
    """Every ratio of BOUNDS."""
    # In its own process, as memory that others have freed would hide the peak of a fit.
    return {**accuracies(), **beside_peers(), **in_own_process(scale.small)}


def show(ratios: dict[str, float]) -> None:
    """Print every ratio beside its bounds."""
    for name, (low, high) in BOUNDS.items():
        told = f"{'' if low is None else low} to {'' if high is None else high}"
        print(f"{name.ljust(66)} {ratios[name]:8.3f}   {told}")


def accuracies() -> dict[str, float]:
    """Korean, the default encoder, one task and few pairs."""
    cells = Cells()
    setup = Setup(
        "USE",
        data_folder(),
        cells,
        seeds=(0,),
        sizes=(N,),
        tasks={TASK: (LANG,)},
        sets=(SET,),
        languages=(LANG,),
        max_pairs=N,
    )
    methods = {
        RIDGE: CLOSED[RIDGE],
        AUTO: lambda seed: CrossLingualAligner(LANG, random_state=seed),
    }
    minilm(setup, lambda lang: {})
    itself(setup, lambda lang: methods, forward_too=False)

    def score(system, method, what, n=0):
        return cells.get("USE", system, LANG, method, n)[what]

    bridge, none = score("MiniLM", BRIDGE, TASK), score("itself", NO_ALIGNMENT, SET)
    english, straight = (score("MiniLM", row, TASK) for row in (ENGLISH_ROWS, STRAIGHT))
    return {
        "accuracy of a bridge / of English test rows": bridge / english,
        "accuracy of a bridge / of text fed straight in": bridge / straight,
        "recall of auto / of no alignment": score("itself", AUTO, SET, N) / none,
        "recall of ridge / of no alignment": score("itself", RIDGE, SET, N) / none,
    }


def beside_peers() -> dict[str, float]:
    """Our closed forms beside the same methods of others, on 1,000 pairs."""
    found = peers.small()

    def entry(name):
        return found[f"{peers.ONE_SPACE}/{LANG}/{name}"]

    ours, theirs = entry('LinearAligner("procrustes")'), entry("scipy orthogonal_procrustes")
    auto, least_squares = entry("LinearAligner()"), entry("scikit-learn LinearRegression()")
    return {
        "recall of our Procrustes / of scipy's": ours["recall"][SET] / theirs["recall"][SET],
        "fit of our Procrustes / of scipy's, seconds": ours["fit_s"] / theirs["fit_s"],
        "recall of LinearAligner() / of least squares": auto["recall"][SET]
        / least_squares["recall"][SET],
    }


def outside(ratios, bounds) -> list[str]:
    """Names of the ratios that are not within their bounds."""
    return [
        name
        for name, (low, high) in bounds.items()
        if not (-math.inf if low is None else low)
        <= ratios[name]
        <= (math.inf if high is None else high)
    ]
