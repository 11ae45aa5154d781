"""Tables of the docs and the README from the results.

``python -m benchmarks.gap.report`` writes them again from ``benchmarks/results/gap.json``.
"""

from collections.abc import Callable

from .._lib.data import LANGUAGES
from .._lib.tables import (
    read_results,
    to_markdown,
    to_rst,
    write_page,
    write_readme,
    written_by,
)
from .ablations import ENSEMBLE
from .few import AND_TEXT, COUNTS, LABELS
from .guard import KINDS
from .methods import (
    BOTH,
    CLASSIFIER,
    KERNEL,
    LR,
    LR_BRIDGE,
    LR_USE,
    NONE,
    ONE,
    ONE_TARGET,
    STRAIGHT_LR,
    TWO,
    TWO_TARGET,
    USE,
)
from .unlabelled import ADAPTED

GROUPS = {"dev": "development tasks", "new": "new tasks"}
# A kernel head is beside the same rows with logistic regression: its gain is not that of alignment.
SHOWN = (
    STRAIGHT_LR,
    LR_USE,
    f"{USE}, {NONE}, {KERNEL}",
    LR_BRIDGE,
    f"{USE}, {CLASSIFIER}, {LR}",
    ONE,
    ONE_TARGET,
    f"{BOTH}, {CLASSIFIER}, {LR}",
    TWO,
    TWO_TARGET,
)


def pages(results: dict) -> dict[str, str]:
    """Text by the name of the page of docs/_generated."""
    source = "\n" + written_by("gap", results)
    return {
        "gap": main_text(results) + source,
        "gap_headline": headline(results, to_rst) + source,
        "gap_cells": cells_text(results) + source,
        "gap_ablations": ablations_text(results) + source,
        "gap_few": to_rst(*few_rows(results["few"])) + source,
        "gap_guard": to_rst(*guard_rows(results["guard"])) + source,
        "gap_costs": to_rst(*cost_rows(results["costs"])) + source,
    }


def headline(results: dict, to_table: Callable) -> str:
    """Means over the development tasks, by the rows that a reader needs first."""
    group = results["groups"]["dev"]
    header, rows = method_rows(group["table"], SHOWN)
    return f"{to_table(header, rows)}\n{ceilings_text(group)}\n"


def readme(results: dict) -> dict[str, str]:
    """The headline for the README."""
    return {"gap": f"{headline(results, to_markdown)}\nMachine: {results['machine']}."}


def signed(value: float) -> str:
    return f"{value:+.1f}"


def gain(of: dict) -> str:
    """Points, their interval, and the worst cell."""
    return (
        f"{signed(of['gain'])} ({signed(of['low'])} to {signed(of['high'])}), "
        f"worst {signed(of['worst'])} {of['cell']}"
    )


def method_rows(table: dict, only=None) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a method each."""
    header = ["What serves the target text", "cells", *LANGUAGES, "mean"]
    header += ["points over no alignment, tuned LR", "points over the bridge, tuned LR"]
    rows = []
    for method, of in table.items():
        if only is None or method in only:
            means = [f"{of[lang]:.3f}" if lang in of else "–" for lang in (*LANGUAGES, "mean")]
            over = [gain(of["over"][base]) for base in (LR_USE, LR_BRIDGE)]
            rows.append([method, str(of["cells"]), *means, *over])
    return header, rows


def ceilings_text(group: dict) -> str:
    """English test rows under every head."""
    parts = [f"{method} {of['mean']:.3f}" for method, of in group["ceilings"].items()]
    return "English test rows of the same tasks: " + "; ".join(parts) + "."


def main_text(results: dict) -> str:
    parts = []
    for name, title in GROUPS.items():
        group = results["groups"][name]
        parts += [f"{title[0].upper()}{title[1:]} ({', '.join(group['tasks'])}):\n"]
        parts += [to_rst(*method_rows(group["table"])), ceilings_text(group) + "\n"]
    return "\n".join(parts)


def cells_text(results: dict) -> str:
    """Accuracy in every cell, a column per method."""
    parts = []
    for name in GROUPS:
        cells = results["groups"][name]["cells"]
        methods = list(results["groups"][name]["table"])
        header = ["Method", *cells]
        rows = [["test rows", *(str(of["n"]) for of in cells.values())]]
        rows += [
            [m, *(f"{of[m]:.3f}" if m in of else "–" for of in cells.values())] for m in methods
        ]
        parts.append(to_rst(header, rows))
    return "\n".join(parts)


def ablations_text(results: dict) -> str:
    header = ["Method", "target text"]
    for title in GROUPS.values():
        header += [f"{title}, mean", f"points over “{ENSEMBLE}”", "worst cell"]
    rows = []
    for method, of in results["ablations"].items():
        cells = [method, "half" if method in ADAPTED else "none"]
        for name in GROUPS:
            one = of.get(name)
            if one is None:
                cells += ["–"] * 3
                continue
            cells += [f"{one['mean']:.3f} ({one['cells']} cells)", signed(one["gain"])]
            cells += [f"{signed(one['worst'])} {one['cell']}"]
        rows.append(cells)
    return to_rst(header, rows)


def few_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    """Means over the cells that have as many rows; gains over no label in the same cells."""
    header = ["Labelled target rows", "cells", "no text: accuracy", "points over no label"]
    header += ["unlabelled text beside them: accuracy", "points over no label and no text"]
    rows = []
    for n in map(str, COUNTS):
        cells = [of for of in found.values() if n in of[LABELS]]
        if not cells:
            continue
        row = [n, str(len(cells))]
        for kind in (LABELS, AND_TEXT):
            mean = sum(of[kind][n] for of in cells) / len(cells)
            gains = [100 * (of[kind][n] - of[LABELS]["0"]) for of in cells]
            row += [
                f"{mean:.3f}",
                f"{signed(sum(gains) / len(gains))}, worst {signed(min(gains))}",
            ]
        rows.append(row)
    return header, rows


def guard_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    header = ["Unlabelled text", "runs", "ratio: mean (lowest to highest)", "refused"]
    header += ["points gained where it is used: mean, worst"]
    rows = []
    for kind in KINDS:
        of = found[kind]
        ratio = "–" if of["ratio"] is None else "{:.2f} ({:.2f} to {:.2f})".format(*of["ratio"])
        gained = "–" if of["gain"] is None else ", ".join(signed(100 * v) for v in of["gain"])
        rows.append([kind, str(of["runs"]), ratio, str(of["refused"]), gained])
    return header, rows


def cost_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    header = ["What", "measured"]
    rows = [
        [f"fit of {found['rows']:,} encoded English rows", f"{found['fit_seconds']:.2f} s"],
        ["rate of answers over that of the encoder alone"],
        ["size of the pickle", f"{found['pickle_megabytes']:.1f} MB"],
    ]
    rows[1].append(f"{found['predict_rate_over_encoder']:.2f}")
    return header, rows


if __name__ == "__main__":
    kept = read_results("gap")
    for page, text in pages(kept).items():
        write_page(page, text)
    for part, markdown in readme(kept).items():
        write_readme(part, markdown)
