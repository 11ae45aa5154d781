"""Tables of the docs and the README from the results.

``python -m benchmarks.search.report`` writes them again from ``benchmarks/results/search.json``.
"""

import statistics

from .._lib.data import LANGUAGES
from .._lib.tables import (
    read_results,
    to_markdown,
    to_rst,
    write_page,
    write_readme,
    written_by,
)
from .costs import ratios
from .known import AUTO, COSINE, CSLS
from .measures import MEASURES
from .methods import (
    BANKS,
    BASELINE,
    DEFAULT,
    DEFAULT_BANK,
    FOUR_VIEWS,
    N_BANKS,
    SECOND,
)
from .sets import KINDS
from .summary import BETTER, CHOICES

SHOWN = (
    BASELINE,
    "USE, shared space, pairs",
    "USE, adapter for search, pairs",
    SECOND,
    "e5, centred",
    DEFAULT,
    "USE + e5, words in common, auto",
    "USE + e5, rank fusion",
    FOUR_VIEWS,
    "USE, auto, past queries",
    DEFAULT_BANK,
)


def pages(results: dict) -> dict[str, str]:
    """Text by the name of the page of docs/_generated."""
    source = "\n" + written_by("search", results)
    table = {name: of for name, of in results["table"].items() if name not in BANKS}
    return {
        "search_sets": to_rst(*set_rows(results["sets"])) + source,
        "search_methods": to_rst(*method_rows(table)) + source,
        "search_cells": to_rst(*cell_rows(results["table"])) + source,
        "search_choices": to_rst(*choice_rows(results["choices"])) + source,
        "search_banks": to_rst(*bank_rows(results["table"])) + source,
        "search_known": to_rst(*known_rows(results["known"])) + source,
        "search_costs": costs_text(results["costs"]) + source,
    }


def readme(results: dict) -> dict[str, str]:
    """Means over the sets for the README."""
    table = {name: results["table"][name] for name in SHOWN if name in results["table"]}
    return {
        "fused_search": f"{to_markdown(*method_rows(table, BASELINE))}\n\n"
        f"Machine: {results['machine']}."
    }


def set_rows(sets: dict) -> tuple[list[str], list[list[str]]]:
    """Queries and documents of every set and language."""
    header = ["Set", "what asks for what", "source"]
    header += [f"{lang}: queries, documents" for lang in LANGUAGES]
    rows = [
        [name, KINDS[name].what, KINDS[name].source]
        + [", ".join(f"{n:,}" for n in of[lang]) if lang in of else "–" for lang in LANGUAGES]
        for name, of in sets.items()
    ]
    return header, rows


def gain(of: dict, worst: str) -> str:
    """Points, their interval, and the worst cell or set."""
    place, value = of[worst]
    return f"{of['gain']:+.1f} ({of['low']:+.1f} to {of['high']:+.1f}), worst {value:+.1f} {place}"


def method_rows(table: dict, *bases: str) -> tuple[list[str], list[list[str]]]:
    """Means over the sets, and points of recall at 1 over the baselines."""
    bases = bases or tuple(next(iter(table.values()))["over"])
    header = ["What answers", *MEASURES, *(f"points of recall@1 over {base}" for base in bases)]
    rows = []
    for name, of in table.items():
        gains = [gain(of["over"][base], "cell" if base == BASELINE else "set") for base in bases]
        rows.append([name, *(f"{mean:.3f}" for mean in of["means"]), *gains])
    return header, rows


def cell_rows(table: dict) -> tuple[list[str], list[list[str]]]:
    """Recall at 1 of every set and language."""
    cells = list(table[BASELINE]["cells"])
    rows = [[name, *(f"{of['cells'][c][0]:.3f}" for c in cells)] for name, of in table.items()]
    return ["What answers", *cells], rows


def choice_rows(choices: dict) -> tuple[list[str], list[list[str]]]:
    """What the other sources chose for every set."""
    return (
        ["Set", *choices],
        [[name, *(of[name] for of in choices.values())] for name in choices[next(iter(CHOICES))]],
    )


def bank_rows(table: dict) -> tuple[list[str], list[list[str]]]:
    """Means by the number of past queries."""
    rows = []
    for what in ("centred", "auto"):
        names = [f"USE + e5, {what}, {n} past queries" for n in N_BANKS]
        names.append(f"USE + e5, {what}, past queries")
        known = [name for name in names if name in table]
        for count, name in zip((*map(str, N_BANKS), "half of the set"), names, strict=True):
            if name in known:
                of = table[name]
                gains = gain(of["over"][BETTER], "set")
                rows.append([what, count, *(f"{mean:.3f}" for mean in of["means"]), gains])
    return ["Means and scoring", "Past queries", *MEASURES, f"points over {BETTER}"], rows


def known_rows(known: dict) -> tuple[list[str], list[list[str]]]:
    """Both directions of translation retrieval beside the best rows of other benchmarks."""
    header = ["Set", "best other row, cosine", "USE + e5", "best other row, CSLS"]
    header += ["USE + e5, CSLS", "USE + e5, auto"]
    rows = [
        [
            cell,
            *(
                f"{value:.3f}"
                for value in (
                    of["best"][COSINE],
                    of["fused"][COSINE],
                    of["best"][CSLS],
                    of["fused"][CSLS],
                    of["fused"][AUTO],
                )
            ),
        ]
        for cell, of in known.items()
    ]
    return header, rows


def costs_text(costs: dict) -> str:
    """Milliseconds a query, and ratios."""
    measured = costs["milliseconds"]
    parts = list(next(iter(measured.values())))
    found = {what: ratios(of) for what, of in measured.items()}
    names = list(next(iter(found.values())))
    rows = [
        [what]
        + [f"{statistics.median(of[part]):.1f}" for part in parts]
        + [f"{found[what][name]:.2f}" for name in names]
        for what, of in measured.items()
    ]
    header = ["Queries", *(f"{part}, ms a query" for part in parts)]
    header += [
        "four views over one, both encoders",
        "four views and both encoders over USE alone",
    ]
    return to_rst(header, rows)


if __name__ == "__main__":
    kept = read_results("search")
    for page, text in pages(kept).items():
        write_page(page, text)
    for part, markdown in readme(kept).items():
        write_readme(part, markdown)
