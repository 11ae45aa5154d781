"""Tables, plots and sentences of the docs, from the cells of the grid."""

import json
from itertools import product

import numpy as np

from .._lib.data import LANGUAGES, SEEDS, SETS, SIZES, TASKS
from .._lib.machine import machine
from .._lib.paths import CACHE, ROOT
from .._lib.tables import to_markdown, to_rst, write_readme, write_results
from .methods import (
    AUTO,
    BRIDGE,
    BRIDGE_PAIRS,
    CEILING,
    CENTRED,
    CLOSED,
    FORWARD_SIZES,
    FREE,
    NONE,
    POOL,
    STRAIGHT,
    UPPER,
)

DRAWS = 2_000  # of the bootstrap
ENGLISH_ONLY = ("MiniLM", "TF-IDF")
NEAR, MEAN = 0.01, "mean accuracy over tasks"
OUT = ROOT / "docs" / "_generated"
# Colours that colour-blind readers tell apart; methods keep theirs in every plot.
LINES = {
    "ridge": ("#0072B2", "-", "o"),
    "Procrustes": ("#E69F00", "-", "s"),
    "spectral": ("#56B4E9", "--", "^"),
    "contrastive": ("#009E73", "-", "D"),
    "paper: FC": ("#999999", ":", "v"),
    "paper: AE": ("#999999", ":", "x"),
    AUTO: ("#D55E00", "-", "*"),
    BRIDGE_PAIRS: ("#CC79A7", "--", "P"),
}


class Cells:
    """Scores by encoder, system, language, method, number of pairs and seed."""

    def __init__(self, cells):
        self.cells = cells

    def get(self, name, system, lang, method, n=0, seed=0):
        return self.cells.get(f"{name}/{system}/{lang}/{method}/{n}/{seed}", {})

    def by_seed(self, name, system, lang, method, n, score):
        """One score of all seeds that there are."""
        # Maps from pairs to a bag of words are learned for every task alone.
        systems = (system, f"{system} {score}", f"{system} search")
        found = [self.get(name, s, lang, method, n, seed) for s in systems for seed in SEEDS]
        return [cell[score] for cell in found if score in cell]

    def mean(self, name, system, lang, method, n, scores):
        """Mean over scores of the mean over seeds, and its deviation over seeds."""
        scores = [s for s in scores if s not in TASKS or lang in TASKS[s]]
        values = [self.by_seed(name, system, lang, method, n, s) for s in scores]
        if not all(values) or not values:
            return None
        k = min(map(len, values))
        by_seed = np.mean([v[:k] for v in values], axis=0)
        return float(by_seed.mean()), float(by_seed.std(ddof=1)) if k > 1 else None


def hits(cell):
    return {task: np.array([c == "1" for c in text]) for task, text in cell["hits"].items()}


def headline(cells):
    """What a bridge without any pair gains, by encoder and English-only system, with intervals."""
    out = {}
    for name in POOL:
        for system in ENGLISH_ONLY:
            rng = np.random.default_rng(0)
            found = {lang: means_of_draws(cells, name, system, lang, rng) for lang in LANGUAGES}
            if None in found.values():
                continue
            gains = {lang: compared(means) for lang, means in found.items()}
            whole = {
                what: np.mean([g[what] for g in gains.values()], axis=0) for what in gains["ko"]
            }
            out[f"{name} into {system}"] = {
                **{
                    lang: {
                        "accuracy": {what: float(v[0]) for what, v in found[lang].items()},
                        **{what: interval(values) for what, values in g.items()},
                    }
                    for lang, g in gains.items()
                },
                "mean": {what: interval(values) for what, values in whole.items()},
            }
    return out


def means_of_draws(cells, name, system, lang, rng):
    """Mean accuracy over tasks of each row of the comparison: the value, then bootstrap draws.

    Test rows are drawn anew within every task, the same ones for all systems.
    """
    parts = {what: cells.get(name, system, lang, what) for what in (BRIDGE, STRAIGHT, CEILING)}
    parts[NONE] = cells.get(name, "itself", lang, NONE)
    if not all(parts.values()):
        return None
    right = {what: hits(cell) for what, cell in parts.items()}
    means = {what: [] for what in right}
    for task in right[BRIDGE]:
        places = {}
        # Debian has English test rows of its own; in the other tasks rows are translations.
        for n in sorted({len(values[task]) for values in right.values()}):
            places[n] = [np.arange(n), *rng.integers(n, size=(DRAWS, n))]
        for what, values in right.items():
            row = values[task]
            means[what].append([row[at].mean() for at in places[len(row)]])
    return {what: np.mean(values, axis=0) for what, values in means.items()}


def compared(means):
    return {
        "gain_straight": means[BRIDGE] - means[STRAIGHT],
        "gain_unaligned": means[BRIDGE] - means[NONE],
        "recovered": means[BRIDGE] / means[CEILING],
    }


def interval(values):
    """The value itself, which stands first, and the 95 % interval of the draws behind it."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return [float(values[0]), float(low), float(high)]


def regrets(cells):
    """How far "auto" is behind the best method of its row, by encoder, score, language and n."""
    rows = []
    groups = {MEAN: list(TASKS), **{score: [score] for score in (*TASKS, *SETS)}}
    for name, lang, n, (score, scores) in product(POOL, LANGUAGES, SIZES, groups.items()):
        methods = {NONE: 0, **dict.fromkeys((CENTRED, *FREE, AUTO), n)}
        found = {
            method: value[0]
            for method, k in methods.items()
            if (value := cells.mean(name, "itself", lang, method, k, scores))
        }
        if AUTO in found and NONE in found:
            best = max(found, key=found.get)
            rows.append(
                {
                    "encoder": name,
                    "language": lang,
                    "pairs": n,
                    "score": score,
                    "auto": found[AUTO],
                    "best": best,
                    "regret": found[best] - found[AUTO],
                    "over_none": found[AUTO] - found[NONE],
                }
            )
    return rows


def regret_table(rows):
    header = ["Rows", "number", f"auto within {NEAR} of the best", "median behind", "worst behind"]
    header += [f"auto below no alignment by more than {NEAR}"]
    kinds = {"accuracy of one task": TASKS, MEAN: [MEAN], "recall at 1 of one set": SETS}
    out = []
    for kind, scores in kinds.items():
        some = [r for r in rows if r["score"] in scores]
        if some:
            behind = np.array([r["regret"] for r in some])
            lost = np.mean([r["over_none"] < -NEAR for r in some])
            near = f"{100 * np.mean(behind <= NEAR):.0f} %"
            middle, worst = f"{np.median(behind):.3f}", f"{behind.max():.3f}"
            out.append([kind, str(len(some)), near, middle, worst, f"{100 * lost:.0f} %"])
    return to_rst(header, out)


def shown(value):
    if value is None:
        return "–"
    mean, deviation = value
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def method_table(cells, name, system, methods, scores, sizes=SIZES):
    """Methods by number of pairs, for every language."""
    sizes = [n for n in sizes if n <= POOL[name]]
    header = ["Language", "Method", *(f"{n:,}" for n in sizes)]
    rows = []
    for lang in LANGUAGES:
        for method in methods:
            found = [cells.mean(name, system, lang, method, n, scores) for n in sizes]
            if any(found):
                rows.append([lang, method, *map(shown, found)])
    return to_rst(header, rows) if rows else "Not measured yet.\n"


def baseline_table(cells, name):
    """What needs no pair."""
    rows = []
    wanted = [
        ("itself", NONE),
        ("itself", CEILING),
        ("itself", UPPER),
        *((s, m) for s in ENGLISH_ONLY for m in (STRAIGHT, BRIDGE, CEILING)),
    ]
    for system, method in wanted:
        for task in TASKS:
            values = [
                (cells.by_seed(name, system, lang, method, 0, task) or [None])[0]
                for lang in LANGUAGES
            ]
            if any(v is not None for v in values):
                told = ["–" if v is None else f"{v:.3f}" for v in values]
                label = name if system == "itself" else system
                rows.append([label, method, task, *told])
    return to_rst(["English system", "Row", "Task", *LANGUAGES], rows)


def headline_rows(found):
    rows = []
    for key, languages in found.items():
        for lang, values in languages.items():
            cells = [
                f"{v:+.3f} ({a:+.3f} to {b:+.3f})"
                for v, a, b in (values["gain_straight"], values["gain_unaligned"])
            ]
            share, low, high = values["recovered"]
            rows.append(
                [key, lang, *cells, f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"]
            )
    header = ["Bridge without a pair", "Language", "gain over the English-only system"]
    header += ["gain over the unaligned multilingual encoder", "share of the English ceiling"]
    return header, rows


def plot(cells, name, scores, path, label):
    """Pairs against a score, one panel a language."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "langalign_sk"
    sizes = [n for n in SIZES if n <= POOL[name]]
    figure, axes = plt.subplots(
        1, len(LANGUAGES), figsize=(10, 4.2), sharey=True, layout="constrained"
    )
    lowest = []
    for ax, lang in zip(axes, LANGUAGES, strict=True):
        for method, (color, style, marker) in LINES.items():
            system = "MiniLM" if method == BRIDGE_PAIRS else "itself"
            found = {n: cells.mean(name, system, lang, method, n, scores) for n in sizes}
            found = {n: v[0] for n, v in found.items() if v}
            if found:
                text = f"MiniLM: {method}" if method == BRIDGE_PAIRS else method
                ax.plot(
                    list(found), list(found.values()), style, color=color, marker=marker, label=text
                )
        flat = [("itself", NONE, "black", "-"), ("MiniLM", BRIDGE, "#CC79A7", ":")]
        if scores[0] in TASKS:
            flat.append(("MiniLM", CEILING, "black", ":"))
        for system, method, color, style in flat:
            value = cells.mean(name, system, lang, method, 0, scores)
            if value:
                lowest.append(value[0])
                text = method if system == "itself" else f"MiniLM: {method}"
                text += ", no pair" if method == BRIDGE else ""
                ax.axhline(value[0], color=color, linestyle=style, label=text)
        ax.set_xscale("log")
        ax.set_title(lang)
        ax.set_xlabel("translation pairs")
    if lowest:
        # Networks that start from nothing would press all other lines together.
        axes[0].set_ylim(bottom=min(lowest) - 0.15)
    axes[0].set_ylabel(label)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def report(cells):
    """Write the results, and what the docs and the README show of them."""
    found = Cells(cells)
    gains, behind = headline(found), regrets(found)
    kept = {
        key: {k: round(v, 4) if isinstance(v, float) else v for k, v in c.items() if k != "hits"}
        for key, c in cells.items()
    }
    write_results("grid", {"seeds": SEEDS, "headline": gains, "auto": behind, "cells": kept})
    header, rows = headline_rows(gains)
    source = f"\nWritten by ``python -m benchmarks grid``. Machine: {machine()}.\n"
    (OUT / "grid_headline.rst").write_text(to_rst(header, rows) + source, encoding="utf-8")
    means = [[row[0], *row[2:]] for row in rows if row[1] == "mean"]
    short = to_markdown([header[0], *header[2:]], means)
    write_readme("headline", f"{short}\n\nMachine: {machine()}.")
    (OUT / "grid_auto.rst").write_text(regret_table(behind), encoding="utf-8")
    tasks = list(TASKS)
    for name in POOL:
        for kind, scores, label in (
            ("accuracy", tasks, MEAN),
            ("tatoeba", ["tatoeba"], "Tatoeba recall at 1"),
        ):
            plot(found, name, scores, OUT / f"grid_{name}_{kind}.svg", f"{name}: {label}")
    (OUT / "grid_tables.rst").write_text("\n".join(tables(found)), encoding="utf-8")


def tables(found):
    """Every table, with a title."""
    tasks = list(TASKS)
    one = (CENTRED, *FREE, AUTO)

    def title(text):
        return f"{text}\n{'~' * len(text)}\n"

    for name in POOL:
        yield title(f"{name}: baselines and bounds, by task")
        yield baseline_table(found, name)
        yield title(f"{name}: mean accuracy inside the encoder, by number of pairs")
        yield method_table(found, name, "itself", one, tasks)
        for score in (*SETS, *(f"{s}_csls" for s in SETS)):
            what = score.replace("_csls", " by CSLS")
            yield title(f"{name}: recall at 1 on {what}, inside the encoder")
            yield method_table(found, name, "itself", one, [score])
        yield title(f"{name}: mean accuracy of the forward direction")
        yield method_table(found, name, "forward", one, tasks, sizes=FORWARD_SIZES)
        yield title(f"{name} into MiniLM: mean accuracy")
        yield method_table(found, name, "MiniLM", (BRIDGE_PAIRS, *FREE), tasks)
        for score in SETS:
            yield title(f"{name} into MiniLM: recall at 1 on {score}")
            yield method_table(found, name, "MiniLM", (BRIDGE_PAIRS, *FREE), [score])
        yield title(f"{name} into TF-IDF: mean accuracy")
        yield method_table(found, name, "TF-IDF", (BRIDGE_PAIRS, *CLOSED), tasks)


def main():
    cells = {}
    for name in POOL:
        path = CACHE / f"grid-{name}.json"
        if path.exists():
            cells |= json.loads(path.read_text())
    report(cells)
