"""Tables and plots of the docs from the summary of the grid.

``python -m benchmarks.grid.report`` writes them again from ``benchmarks/results/grid.json``.
"""

from pathlib import Path

import numpy as np

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from .._lib.data import LANGUAGES, MAX_PAIRS, SETS, SIZES, TASKS
from .._lib.paths import PAGES
from .._lib.tables import read_results, to_markdown, to_rst, write_page, write_readme
from .cells import MEAN
from .methods import (
    AUTO,
    BRIDGE,
    BRIDGE_PAIRS,
    CENTRED,
    CLOSED,
    FORWARD_SIZES,
    FREE,
    TARGET_LABELS,
)
from .summary import CSLS, ENGLISH_ONLY, GAINS, Summary

NEAR = 0.01  # accuracy or recall: scores this near count as equal
# Colours that colour-blind readers tell apart; methods keep theirs in every plot.
LINES = {
    "ridge": ("#0072B2", "-", "o"),
    "Procrustes": ("#E69F00", "-", "s"),
    "spectral": ("#56B4E9", "--", "^"),
    "contrastive": ("#009E73", "-", "D"),
    "FC, published start": ("#999999", ":", "v"),
    "AE, published start": ("#999999", ":", "x"),
    AUTO: ("#D55E00", "-", "*"),
    BRIDGE_PAIRS: ("#CC79A7", "--", "P"),
}
PLOTS = {"accuracy": (MEAN, MEAN), "tatoeba": ("tatoeba", "Tatoeba recall at 1")}


def pages(summary: Summary) -> dict[str, str]:
    """Text by the name of the page of docs/_generated."""
    source = f"\nWritten by ``python -m benchmarks grid``. Machine: {summary.machine}.\n"
    return {
        "grid_headline": to_rst(*headline_rows(summary.headline)) + source,
        "grid_auto": regret_table(summary.auto),
        "grid_tables": "\n".join(tables(summary)),
    }


def headline_of_readme(summary: Summary) -> str:
    """The means over the languages."""
    header, rows = headline_rows(summary.headline)
    means = [[row[0], *row[2:]] for row in rows if row[1] == "mean"]
    return to_markdown([header[0], *header[2:]], means) + f"\n\nMachine: {summary.machine}."


def write_tables(summary: Summary) -> None:
    """Write the tables of the docs, and that of the README."""
    for name, text in pages(summary).items():
        write_page(name, text)
    write_readme("headline", headline_of_readme(summary))


def write_plots(summary: Summary, folder: Path = PAGES) -> None:
    """Draw the plots of the docs."""
    for name in MAX_PAIRS:
        for kind, (score, label) in PLOTS.items():
            plot(summary, name, score, folder / f"grid_{name}_{kind}.svg", f"{name}: {label}")


# Tables


def headline_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the bridges without a pair."""
    rows = []
    for key, languages in found.items():
        for lang, values in languages.items():
            *gains, recovered = (values[what] for what in GAINS)
            cells = [f"{gain:+.3f} ({low:+.3f} to {high:+.3f})" for gain, low, high in gains]
            share, low, high = recovered
            cells.append(f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})")
            rows.append([key, lang, *cells])
    header = ["Bridge without a pair", "Language", "gain over the English-only system"]
    header += ["gain over the unaligned multilingual encoder", "share of the English ceiling"]
    return header, rows


def regret_table(rows: list[dict]) -> str:
    """How far "auto" is behind, by kind of score."""
    header = ["Rows", "number", f"auto within {NEAR} of the best", "median behind", "worst behind"]
    header += [f"auto below no alignment by more than {NEAR}"]
    kinds = {"accuracy of one task": tuple(TASKS), MEAN: (MEAN,), "recall at 1 of one set": SETS}
    out = []
    for kind, scores in kinds.items():
        of_kind = [row for row in rows if row["score"] in scores]
        if of_kind:
            behind = np.array([row["regret"] for row in of_kind])
            lost = np.mean([row["over_none"] < -NEAR for row in of_kind])
            near = f"{100 * np.mean(behind <= NEAR):.0f} %"
            middle, worst = f"{np.median(behind):.3f}", f"{behind.max():.3f}"
            out.append([kind, str(len(of_kind)), near, middle, worst, f"{100 * lost:.0f} %"])
    return to_rst(header, out)


def tables(summary: Summary):
    """Every table, with a title."""
    one = (CENTRED, *FREE, AUTO)

    def title(text):
        return f"{text}\n{'~' * len(text)}\n"

    for name in MAX_PAIRS:
        yield title(f"{name}: baselines and bounds, by task")
        yield baseline_table(summary, name)
        yield title(f"{name}: mean accuracy inside the encoder, by number of pairs")
        yield method_table(summary, name, "itself", one, MEAN)
        for score in (*SETS, *CSLS):
            what = score.replace("_csls", " by CSLS")
            yield title(f"{name}: recall at 1 on {what}, inside the encoder")
            yield method_table(summary, name, "itself", one, score)
        yield title(f"{name}: mean accuracy of the forward direction")
        yield method_table(summary, name, "forward", one, MEAN, sizes=FORWARD_SIZES)
        yield title(f"{name} into MiniLM: mean accuracy")
        yield method_table(summary, name, "MiniLM", (BRIDGE_PAIRS, *FREE), MEAN)
        for score in SETS:
            yield title(f"{name} into MiniLM: recall at 1 on {score}")
            yield method_table(summary, name, "MiniLM", (BRIDGE_PAIRS, *FREE), score)
        yield title(f"{name} into TF-IDF: mean accuracy")
        yield method_table(summary, name, "TF-IDF", (BRIDGE_PAIRS, *CLOSED), MEAN)


def baseline_table(summary: Summary, name) -> str:
    """What needs no pair, by task."""
    rows = []
    wanted = [
        ("itself", NO_ALIGNMENT),
        ("itself", ENGLISH_ROWS),
        ("itself", TARGET_LABELS),
        *((s, m) for s in ENGLISH_ONLY for m in (STRAIGHT, BRIDGE, ENGLISH_ROWS)),
    ]
    for system, method in wanted:
        for task in TASKS:
            found = [summary.mean(name, system, lang, method, 0, task) for lang in LANGUAGES]
            if any(found):
                label = name if system == "itself" else system
                rows.append([label, method, task, *map(shown, found)])
    return to_rst(["English system", "Row", "Task", *LANGUAGES], rows)


def method_table(summary: Summary, name, system, methods, score, sizes=SIZES) -> str:
    """Methods by number of pairs, for every language."""
    sizes = [n for n in sizes if n <= MAX_PAIRS[name]]
    header = ["Language", "Method", *(f"{n:,}" for n in sizes)]
    rows = []
    for lang in LANGUAGES:
        for method in methods:
            found = [summary.mean(name, system, lang, method, n, score) for n in sizes]
            if any(found):
                rows.append([lang, method, *map(shown, found)])
    return to_rst(header, rows) if rows else "Not measured yet.\n"


def shown(value: tuple[float, float | None] | None) -> str:
    """Cell of a mean and its deviation."""
    if value is None:
        return "–"
    mean, deviation = value
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


# Plots


def plot(summary: Summary, name, score, path, label) -> None:
    """Pairs against a score, one panel per language."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "langalign_sk"
    figure, panels = plt.subplots(
        1, len(LANGUAGES), figsize=(10, 4.2), sharey=True, layout="constrained"
    )
    levels = []
    for axes, lang in zip(panels, LANGUAGES, strict=True):
        draw_methods(axes, summary, name, lang, score)
        levels += draw_baselines(axes, summary, name, lang, score)
        axes.set_xscale("log")
        axes.set_title(lang)
        axes.set_xlabel("translation pairs")
    if levels:
        # Networks that start from nothing would press all other lines together.
        panels[0].set_ylim(bottom=min(levels) - 0.15)
    panels[0].set_ylabel(label)
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_methods(axes, summary: Summary, name, lang, score) -> None:
    """A line per method, over the numbers of pairs that it has."""
    sizes = [n for n in SIZES if n <= MAX_PAIRS[name]]
    for method, (color, style, marker) in LINES.items():
        system, text = "itself", method
        if method == BRIDGE_PAIRS:
            system, text = "MiniLM", f"MiniLM: {method}"
        found = {n: summary.mean(name, system, lang, method, n, score) for n in sizes}
        line = {n: value[0] for n, value in found.items() if value}
        if line:
            axes.plot(
                list(line), list(line.values()), style, color=color, marker=marker, label=text
            )


def draw_baselines(axes, summary: Summary, name, lang, score) -> list[float]:
    """Level lines of what needs no pair; their levels."""
    flat = {
        NO_ALIGNMENT: ("itself", NO_ALIGNMENT, "black", "-"),
        f"MiniLM: {BRIDGE}, no pair": ("MiniLM", BRIDGE, "#CC79A7", ":"),
        f"MiniLM: {ENGLISH_ROWS}": ("MiniLM", ENGLISH_ROWS, "black", ":"),
    }
    levels = []
    for text, (system, method, color, style) in flat.items():
        value = summary.mean(name, system, lang, method, 0, score)
        if value:
            levels.append(value[0])
            axes.axhline(value[0], color=color, linestyle=style, label=text)
    return levels


if __name__ == "__main__":
    kept = Summary(read_results("grid"))
    write_tables(kept)
    write_plots(kept)
