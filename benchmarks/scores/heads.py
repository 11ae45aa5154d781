"""Classifiers on the vectors of English rows: kernel ridge beside others, and with many rows.

No test file is read: classifiers are fitted to a part of the English training rows and scored on
another. For many rows, the class of an English sentence is the source of pairs that it comes from.
"""

import statistics
import warnings

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, RidgeClassifier, RidgeClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from langalign_sk.classifier import KernelRidgeClassifier

from .._lib.data import LANGUAGES, SEED, data_folder, read_rows
from .._lib.encoders import encoder
from .._lib.machine import machine
from .._lib.tables import publish, to_rst, written_by
from .._lib.timing import seconds

TASKS = (
    "sib200",
    "xrisawoz_domain",
    "debian_section",
    "assistant_domain",
    "emoji_group",
    "news_topic",
)
SPLITS = 2
TRAIN, HELD_OUT = 1_000, 1_000  # rows at most
FEW = 200  # rows for Gaussian processes, whose time grows with the classes too
SIZES = (10_000, 30_000, 100_000)
SCALE_HELD_OUT = 5_000
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)
KERNEL, LR = "kernel ridge", "logistic regression"


def tuned_lr():
    """C by cross-validated log loss."""
    grid = {"C": [1, 3, 10, 30, 100]}
    return GridSearchCV(LogisticRegression(max_iter=2_000), grid, cv=3, scoring="neg_log_loss")


def tuned_svc():
    """C and gamma by cross-validated accuracy, then a temperature."""
    grid = {"C": [1, 10], "gamma": [0.5, 1, 2]}
    search = GridSearchCV(SVC(kernel="rbf"), grid, cv=3)
    return CalibratedClassifierCV(search, method="temperature", cv=3, ensemble=False)


def ridge_on(features, head):
    """Linear ridge regression on features of a kernel, with a temperature."""
    pipeline = make_pipeline(features, head)
    return CalibratedClassifierCV(pipeline, method="temperature", cv=3, ensemble=False)


def gaussian_process():
    """One against the rest, the width of the kernel by marginal likelihood."""
    return GaussianProcessClassifier(ConstantKernel(1.0) * RBF(1.0), random_state=SEED)


HEADS = {
    LR: tuned_lr,
    "SVC, RBF kernel": tuned_svc,
    "2,000 random features, ridge": lambda: ridge_on(
        RBFSampler(gamma=1.0, n_components=2_000, random_state=SEED), RidgeClassifierCV(ALPHAS)
    ),
    KERNEL: lambda: KernelRidgeClassifier(random_state=SEED),
}
FEW_HEADS = {
    f"Gaussian process, {FEW} rows": gaussian_process,
    f"{KERNEL}, {FEW} rows": lambda: KernelRidgeClassifier(random_state=SEED),
}
SCALE_HEADS = {
    f"{LR}, C=30": lambda: LogisticRegression(C=30, max_iter=300),
    "1,000 Nyström features, ridge": lambda: ridge_on(
        Nystroem(gamma=1.0, n_components=1_000, random_state=SEED), RidgeClassifier(0.1)
    ),
    KERNEL: lambda: KernelRidgeClassifier(random_state=SEED),
}


def measured(head, X, y, Z, z):
    """Accuracy and log loss on rows Z, and the seconds of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small folds, and of float32 sums that are nearly one
        time, model = seconds(head().fit, X, y)
        P = model.predict_proba(Z)
        loss = log_loss(z, P, labels=model.classes_)
    accuracy = np.mean(model.classes_[P.argmax(axis=1)] == z)
    return {"accuracy": float(accuracy), "log_loss": float(loss), "seconds": time}


def of_task(X, y):
    """Scores of every head, the mean of some splits; times over those of logistic regression."""
    n_held_out = min(HELD_OUT, len(y) // 5)
    splits = StratifiedShuffleSplit(
        SPLITS, test_size=n_held_out, train_size=min(TRAIN, len(y) - n_held_out), random_state=SEED
    )
    runs: dict[str, list[dict]] = {}
    for train, test in splits.split(X, y):
        few = train[:FEW]
        known = np.isin(y[test], y[few])
        for name, head in HEADS.items():
            runs.setdefault(name, []).append(measured(head, X[train], y[train], X[test], y[test]))
        for name, head in FEW_HEADS.items():
            found = measured(head, X[few], y[few], X[test][known], y[test][known])
            runs.setdefault(name, []).append(found)
    base = statistics.mean(run["seconds"] for run in runs[LR])
    return {
        name: {
            "accuracy": statistics.mean(run["accuracy"] for run in found),
            "log_loss": statistics.mean(run["log_loss"] for run in found),
            "time": statistics.mean(run["seconds"] for run in found) / base,
        }
        for name, found in runs.items()
    }


def sentences():
    """Distinct English sentences of all pairs in random order, and the source of each."""
    sources: dict[str, str] = {}
    for language in LANGUAGES:
        for path in sorted((data_folder() / "parallel" / language).glob("*.tsv")):
            for row in read_rows(path):
                sources.setdefault(row[0], path.stem)
    order = np.random.default_rng(SEED).permutation(len(sources))[: SIZES[-1] + SCALE_HELD_OUT]
    return np.array(list(sources))[order].tolist(), np.array(list(sources.values()))[order]


def of_sizes(X, y):
    """Scores with more rows than are solved exactly; times over those of logistic regression."""
    Z, z, X, y = X[:SCALE_HELD_OUT], y[:SCALE_HELD_OUT], X[SCALE_HELD_OUT:], y[SCALE_HELD_OUT:]
    out: dict[str, dict] = {}
    for n in SIZES:
        for name, head in SCALE_HEADS.items():
            found = measured(head, X[:n], y[:n], Z, z)
            out.setdefault(str(n), {})[name] = found
            print(n, name, found)
        base = next(iter(out[str(n)].values()))["seconds"]
        for found in out[str(n)].values():
            found["time"] = found.pop("seconds") / base
    return out


def main():
    print(machine(), "\n")
    vectors = encoder("use-multilingual").transform
    tasks = {}
    for task in TASKS:
        rows = read_rows(data_folder() / "eval" / task / "en_train.tsv")
        X, y = vectors([row[1] for row in rows]), np.array([row[0] for row in rows])
        tasks[task] = of_task(X, y)
        for name, scores in tasks[task].items():
            print(task, name, scores)
    texts, sources = sentences()
    results = {
        "seed": SEED,
        "splits": SPLITS,
        "train": TRAIN,
        "few": FEW,
        "tasks": tasks,
        "sizes": of_sizes(vectors(texts), sources),
    }
    publish("heads", results, pages)


def pages(results):
    """Text of the docs."""
    tasks = results["tasks"]
    names = list(next(iter(tasks.values())))
    table = []
    for name in names:
        cells = [scores[name] for scores in tasks.values()]
        mean, loss, time = (
            statistics.mean(cell[key] for cell in cells) for key in ("accuracy", "log_loss", "time")
        )
        accuracies = [f"{cell['accuracy']:.3f}" for cell in cells]
        table.append([name, *accuracies, f"{mean:.3f}", f"{loss:.3f}", f"{time:.2f}"])
    header = ["Head", *tasks, "mean", "log loss", "time"]
    sizes = [
        [f"{int(n):,}", name, f"{s['accuracy']:.3f}", f"{s['log_loss']:.3f}", f"{s['time']:.2f}"]
        for n, scores in results["sizes"].items()
        for name, s in scores.items()
    ]
    centres = KernelRidgeClassifier().max_rows
    text = (
        f"Accuracy on held-out English training rows, with USE and up to {results['train']:,} rows to "
        f"fit; the mean of {results['splits']} splits. Log loss is the mean over tasks, and time that "
        "of a fit with its choices, over that of logistic regression. A Gaussian process, whose time "
        f"grows with the cube of the rows and with the classes, gets {results['few']} rows, and kernel "
        "ridge beside it the same; they are scored on rows of the classes that they know. No test row "
        "was read.\n\n"
        + to_rst(header, table)
        + "\nWith many rows: an English sentence is from one of eight sources of pairs. Kernel "
        f"ridge has {centres:,} rows as centres.\n\n"
        + to_rst(["Rows", "Head", "accuracy", "log loss", "time"], sizes)
        + "\n"
        + written_by("heads", results)
    )
    return {"heads": text}
