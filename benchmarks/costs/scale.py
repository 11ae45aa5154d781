"""Times of closed-form fits by rows and width, beside the matrix products that they are made of."""

import statistics
from functools import partial

import numpy as np
from sklearn.linear_model import Ridge

from langalign_sk import LinearAligner

from .._lib.data import random_pairs
from .._lib.machine import machine
from .._lib.paths import PAGES
from .._lib.tables import publish, read_results, to_rst, written_by
from .._lib.timing import in_own_process, in_turns, python, ratio, seconds
from . import fits
from .fits import FLOOR, METHODS, floor

ROWS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
WIDTHS = (128, 256, 512, 1024)
LARGEST = 5e9  # bytes of X and Y; the largest copy made of them in a fit has to fit beside

HEAD = 100_000, 512  # the point of the first table
SMOKE = 20_000, 256
FROM = 10_000  # fewer rows cost less than the decompositions, which do not grow with them

CROSS, PEER = "X'Y alone", "Ridge of scikit-learn"

BATCHES = (1, 32, 1_000, 100_000)
SKLEARN, PACKAGE = "import sklearn", "import langalign_sk"
ALIGNER = "from langalign_sk import LinearAligner"
IMPORTS = (
    "pass",
    SKLEARN,
    PACKAGE,
    "from sklearn.linear_model import Ridge",
    ALIGNER,
    "from langalign_sk import CrossLingualAligner",
)
HEAVY = ("torch", "transformers", "sentence_transformers", "onnxruntime", "pandas", "matplotlib")


def timed(X, Y):
    """What is timed on one set of pairs; those that make no copies of the rows come first."""
    out = {FLOOR: lambda: floor(X, Y), CROSS: lambda: X.T @ Y}
    models = {
        method: LinearAligner(method, random_state=0, **settings)
        for method, settings in METHODS.items()
    }
    for name, model in {**models, PEER: Ridge()}.items():
        out[name] = partial(model.fit, X, Y)
    return out


def turns_of(n, d):
    """Number of turns: odd, and fewer for larger fits, so that all take some minutes."""
    work = 4 * n * d**2 + 60 * d**3  # operations: of the products, and of the decompositions
    return 7 if work < 5e10 else 5 if work < 2e11 else 3 if work < 6e11 else 1


def measure(n, d, turns):
    """Median times, ratios to the floor and memory of all fits of n pairs of width d."""
    X, Y = random_pairs(n, d)
    for function in timed(X[:500], Y[:500]).values():  # imports and threads are paid for here
        function()
    peaks: dict[str, int] = {}
    times = in_turns(timed(X, Y), turns, peaks=peaks)
    return {
        "n": n,
        "d": d,
        "turns": turns,
        "seconds": {name: statistics.median(taken) for name, taken in times.items()},
        "over_floor": {name: ratio(taken, times[FLOOR]) for name, taken in times.items()},
        "over_peer": {name: ratio(taken, times[PEER]) for name, taken in times.items()},
        "input_bytes": X.nbytes + Y.nbytes,
        "peak_bytes": peaks,
    }


def points():
    """Measurements by width and rows, each in a process of its own."""
    out = []
    for d in WIDTHS:
        for n in ROWS:
            if 2 * n * d * 4 > LARGEST:
                continue
            taken, point = seconds(in_own_process, measure, n, d, turns_of(n, d))
            out.append(point)
            over_floor = point["over_floor"]
            ratios = ", ".join(f"{method} {over_floor[method]:.2f}" for method in METHODS)
            print(
                f"n = {n:,}, d = {d}: floor {point['seconds'][FLOOR]:.3f} s; times the floor: "
                f"{ratios} ({point['turns']} turns, {taken:.0f} s)",
                flush=True,
            )
    return out


def exponent(sizes, times):
    """Slope of the logarithm of the time, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def slope(points, size, name):
    """Exponent of a size, over points."""
    return exponent([point[size] for point in points], [point["seconds"][name] for point in points])


def exponents(measured):
    """Exponents by name of the fit: of n for every width, and of d at the rows of the first table."""
    out = {}
    for name in (FLOOR, *METHODS, PEER):
        of_n = {}
        for d in WIDTHS:
            line = [point for point in measured if point["d"] == d and point["n"] >= FROM]
            of_n[str(d)] = slope(line, "n", name)
        of_d = slope([point for point in measured if point["n"] == HEAD[0]], "d", name)
        out[name] = {"n": of_n, "d": of_d}
    return out


def transforms(d, batches, turns):
    """Rates of transform and of the bare product, by rows per call."""
    X, Y = random_pairs(max(batches), d)
    aligner = LinearAligner("procrustes").fit(X, Y)
    W, b = aligner.coef_, aligner.intercept_
    out = {}
    for n in batches:
        rows = X[:n]
        calls = {
            "bare": lambda rows=rows: rows @ W + b,
            "transform": lambda rows=rows: aligner.transform(rows),
        }
        in_turns(calls, 1)
        times = in_turns(calls, turns, number=max(1, 2_000 // n))
        out[str(n)] = {
            "bare_s": statistics.median(times["bare"]),
            "transform_s": statistics.median(times["transform"]),
            "rate_over_bare": ratio(times["bare"], times["transform"]),
        }
    return out


def imports(codes, turns):
    """Seconds of whole processes, and which heavy packages each has loaded at its end."""
    loaded = {}
    for code in codes:  # this also brings all files into the cache of the disk
        names = python(f"{code}\nimport sys\nprint(*[m for m in {HEAVY} if m in sys.modules])")
        loaded[code] = names.split()
    times = in_turns({code: lambda code=code: python(code) for code in codes}, turns)
    return {
        code: {
            "seconds": statistics.median(times[code]),
            "over_sklearn": ratio(times[code], times[SKLEARN]),
            "loaded": loaded[code],
        }
        for code in codes
    }


def small():
    """Ratios of one small point."""
    n, d = SMOKE
    point = measure(n, d, turns=9)
    loads = imports((SKLEARN, PACKAGE, ALIGNER), turns=3)
    return {
        **{f"{method}_fit_over_floor": point["over_floor"][method] for method in METHODS},
        "ridge_fit_over_sklearn_ridge": point["over_peer"]["ridge"],
        "auto_peak_over_inputs": point["peak_bytes"]["auto"] / point["input_bytes"],
        "transform_rate_over_bare": transforms(d, (n,), turns=9)[str(n)]["rate_over_bare"],
        "import_over_sklearn": loads[PACKAGE]["over_sklearn"],
        "linear_aligner_import_over_sklearn": loads[ALIGNER]["over_sklearn"],
    }


def main(only=None):
    """Measure everything, or only "fit" and keep the other results."""
    print(machine(), "\n", flush=True)
    if only == "fit":
        publish("scale", read_results("scale") | {"fit": fits.measure()}, pages)
        return
    measured = points()
    results = {
        "points": measured,
        "exponents": exponents(measured),
        "fit": fits.measure(),
        "transform": transforms(HEAD[1], BATCHES, turns=9),
        "imports": imports(IMPORTS, turns=5),
    }
    publish("scale", results, pages)
    plot(measured, PAGES / "scale.svg")


def pages(results):
    """Text of the docs."""
    return {"scale": tables(results)}


def tables(results):
    at = {(point["n"], point["d"]): point for point in results["points"]}
    n, d = HEAD
    return "\n".join(
        [
            f"Closed forms of `LinearAligner` on {n:,} pairs of {d}-d float32. The floor is "
            "``X.T @ X``, ``Y.T @ Y`` and ``X.T @ Y`` of the rows as they come: no check of the "
            "input, no means, no decomposition. Ridge and spectral maps, there and back, are made "
            "of these products; a rotation needs ``X.T @ Y`` alone. Procrustes, ridge and "
            'spectral have one setting each, "auto" chooses on held-out rows: of five folds up to '
            "5,000 pairs, of one above. The last column is the same fit of "
            f"{ROWS[0]:,} pairs, where the products are next to nothing. Median of "
            f"{at[HEAD]['turns']} turns, each beside the floor of its turn:\n",
            head_table(at[HEAD], at[ROWS[0], d]),
            "Seconds of a fit by pairs and width and, in brackets, how many times the floor that "
            "is; medians of seven turns, of fewer where they are slow, of one where the floor takes "
            f"seconds. Empty where X and Y are over {LARGEST / 1e9:.0f} GB. Procrustes:\n",
            grid_table(at, "procrustes"),
            '"auto":\n',
            grid_table(at, "auto"),
            ".. image:: /_generated/scale.svg\n"
            "   :alt: Seconds of a fit against the number of pairs on logarithmic axes, a line for "
            "each width and the floor of each dashed; one panel for Procrustes and one for auto. "
            "The numbers are those of the tables.\n",
            f"Exponents of n from {FROM:,} pairs on, and of d at {n:,} pairs: the slope of the "
            "logarithm of the seconds, by least squares:\n",
            exponent_table(results["exponents"]),
            f"By how much the resident memory grows during a fit at most, beside X and Y ({d}-d "
            "float32, MB), every row of the table in a process of its own:\n",
            memory_table([at[rows, d] for rows in ROWS if (rows, d) in at]),
            f"`transform` beside ``X @ W + b`` of {d}-d float32, by rows a call:\n",
            transform_table(results["transform"]),
            "Whole processes of ``python -c`` with one import, and the heavy packages that are "
            f"loaded at their end (of {', '.join(HEAVY)}):\n",
            import_table(results["imports"]),
            "Steps of adapters beside a plain torch loop are further down, under training, and a "
            "grid search with and without the cache of rows under encoding.\n",
            written_by("scale", results),
            *([fits.table(results["fit"])] if "fit" in results else []),
        ]
    )


def multiple(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def head_table(point, few):
    rows = [
        [name, f"{taken:.3f}", multiple(point["over_floor"][name]), f"{few['seconds'][name]:.3f}"]
        for name, taken in point["seconds"].items()
    ]
    return to_rst(["Fit", "s", "times the floor", f"s, {few['n']:,} pairs"], rows)


def grid_table(at, name):
    def cell(point):
        if point is None:
            return "–"
        return f"{point['seconds'][name]:.3f} ({multiple(point['over_floor'][name])})"

    rows = [[f"{n:,}", *(cell(at.get((n, d))) for d in WIDTHS)] for n in ROWS]
    return to_rst(["Pairs", *(f"d = {d:,}" for d in WIDTHS)], rows)


def exponent_table(found):
    rows = [
        [name, *(f"{value:.2f}" for value in slopes["n"].values()), f"{slopes['d']:.2f}"]
        for name, slopes in found.items()
    ]
    return to_rst(["Fit", *(f"n, d = {d:,}" for d in WIDTHS), "d"], rows)


def memory_table(line):
    names = ("procrustes", "spectral", "auto", PEER)
    rows = [
        [
            f"{point['n']:,}",
            f"{point['input_bytes'] / 1e6:,.0f}",
            *(f"{point['peak_bytes'][name] / 1e6:,.0f}" for name in names),
        ]
        for point in line
    ]
    return to_rst(["Pairs", "X and Y", *names], rows)


def transform_table(found):
    rows = [
        [
            f"{int(n):,}",
            f"{1e6 * times['bare_s']:,.1f}",
            f"{1e6 * times['transform_s']:,.1f}",
            f"{int(n) / times['transform_s']:,.0f}",
            f"{times['rate_over_bare']:.2f}",
        ]
        for n, times in found.items()
    ]
    header = ["Rows", "bare product, µs", "`transform`, µs", "rows a second", "of the bare rate"]
    return to_rst(header, rows)


def import_table(found):
    rows = [
        [
            f"``{code}``",
            f"{load['seconds']:.3f}",
            f"{load['over_sklearn']:.2f}",
            ", ".join(load["loaded"]) or "none",
        ]
        for code, load in found.items()
    ]
    return to_rst(["Code", "s", "of ``import sklearn``", "heavy packages"], rows)


def plot(measured, path):
    import matplotlib  # here, as the processes whose memory is measured do without it

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "scale"  # the same file for the same numbers
    figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
    colors = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
    for axes, method, title in zip(
        panels, ("procrustes", "auto"), ("Procrustes", "auto"), strict=True
    ):
        for d, color, marker in zip(WIDTHS, colors, "osD^", strict=True):
            line = [point for point in measured if point["d"] == d]
            n = [point["n"] for point in line]
            fit, bare = ([point["seconds"][name] for point in line] for name in (method, FLOOR))
            axes.loglog(n, fit, color=color, marker=marker, markersize=4, label=f"d = {d:,}")
            axes.loglog(n, bare, color=color, linestyle="--", linewidth=1)
        axes.plot([], [], color="black", linestyle="--", linewidth=1, label="floor")
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("pairs, n")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("fit, seconds")
    panels[0].legend(fontsize="small", frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
