"""Summary of the grid's cells: the numbers that the tables of the docs show.

It is small enough for version control, and the cells are not.
"""

from itertools import product

import numpy as np

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from .._lib.data import LANGUAGES, MAX_PAIRS, SEEDS, SETS, SIZES, TASKS
from .._lib.tables import rounded
from .cells import MEAN, Cells
from .methods import AUTO, BRIDGE, CENTRED, FREE

DRAWS = 2_000  # of the bootstrap
ENGLISH_ONLY = ("MiniLM", "TF-IDF")
CSLS = tuple(f"{name}_csls" for name in SETS)
# What is shown of a system at any number of pairs; without pairs, every task too.
SCORES = {
    "itself": (MEAN, *SETS, *CSLS),
    "forward": (MEAN,),
    "MiniLM": (MEAN, *SETS),
    "TF-IDF": (MEAN,),
}
SHOWN, COMPARED = 3, 6  # digits: of what tables show, and of what is compared with a limit
COUNTS = (0, *SIZES)


class Summary:
    """What `summarize` returns, by names instead of places.

    Parameters
    ----------
    content : dict
        Content of the file, "machine" included.
    """

    def __init__(self, content: dict) -> None:
        self.machine = content["machine"]
        self.headline = content["headline"]
        columns = content["auto"]["columns"]
        self.auto = [dict(zip(columns, row, strict=True)) for row in content["auto"]["rows"]]
        self.means = content["means"]

    def mean(self, name, system, lang, method, n, score) -> tuple[float, float | None] | None:
        """Mean over seeds and its standard deviation, which is None for a single seed."""
        line = self.means.get(name, {}).get(system, {}).get(score, {}).get(lang, {})
        values = line.get(method, [])
        at = COUNTS.index(n)
        value = values[at] if at < len(values) else None
        return None if value is None else (value[0], value[1] if len(value) > 1 else None)


def summarize(cells: Cells) -> dict:
    """Everything that the tables show, as JSON holds it."""
    rows = regrets(cells)
    columns = list(rows[0]) if rows else []
    return {
        "seeds": SEEDS,
        "pairs": COUNTS,
        "headline": rounded(headline(cells), SHOWN),
        "auto": {
            "columns": columns,
            "rows": [rounded(list(row.values()), COMPARED) for row in rows],
        },
        "means": means(cells),
    }


def means(cells: Cells) -> dict:
    """Means by encoder, system, score, language and method.

    Each is a list by number of pairs, as in COUNTS, of None, [mean] or [mean, deviation].
    """
    out: dict = {}
    for name, system, lang, method, n in cells.places():
        for score in (*SCORES[system], *(TASKS if n == 0 else ())):
            value = cells.mean(name, system, lang, method, n, score)
            if value is None:
                continue
            of_score = out.setdefault(name, {}).setdefault(system, {}).setdefault(score, {})
            values = of_score.setdefault(lang, {}).setdefault(method, [])
            at = COUNTS.index(n)
            values += [None] * (at + 1 - len(values))
            values[at] = rounded([part for part in value if part is not None], SHOWN)
    return out


def headline(cells: Cells) -> dict:
    """What a bridge without any pair gains, by encoder and English-only system, with intervals."""
    out = {}
    for name, system in product(MAX_PAIRS, ENGLISH_ONLY):
        rng = np.random.default_rng(0)
        found = {lang: means_of_draws(cells, name, system, lang, rng) for lang in LANGUAGES}
        measured = {lang: draws for lang, draws in found.items() if draws is not None}
        if len(measured) < len(LANGUAGES):
            continue
        gains = {lang: compared(draws) for lang, draws in measured.items()}
        means = {what: np.mean([g[what] for g in gains.values()], axis=0) for what in GAINS}
        out[f"{name} into {system}"] = {
            **{
                lang: {
                    "accuracy": {what: float(v[0]) for what, v in measured[lang].items()},
                    **{what: interval(values) for what, values in gain.items()},
                }
                for lang, gain in gains.items()
            },
            "mean": {what: interval(values) for what, values in means.items()},
        }
    return out


def means_of_draws(cells: Cells, name, system, lang, rng) -> dict[str, np.ndarray] | None:
    """Mean accuracy over tasks of each row of the comparison: the value, then bootstrap draws.

    Test rows are drawn anew within every task, the same ones for all systems.
    """
    parts = {what: cells.get(name, system, lang, what) for what in (BRIDGE, STRAIGHT, ENGLISH_ROWS)}
    parts[NO_ALIGNMENT] = cells.get(name, "itself", lang, NO_ALIGNMENT)
    if not all(parts.values()):
        return None
    right = {what: hits(cell) for what, cell in parts.items()}
    means: dict[str, list] = {what: [] for what in right}
    for task in right[BRIDGE]:
        places = {}
        # Debian has English test rows of its own; in the other tasks rows are translations.
        for n in sorted({len(values[task]) for values in right.values()}):
            places[n] = [np.arange(n), *rng.integers(n, size=(DRAWS, n))]
        for what, values in right.items():
            row = values[task]
            means[what].append([row[at].mean() for at in places[len(row)]])
    return {what: np.mean(values, axis=0) for what, values in means.items()}


def hits(cell: dict) -> dict[str, np.ndarray]:
    """Which test rows of each task are answered rightly."""
    return {task: np.array([c == "1" for c in text]) for task, text in cell["hits"].items()}


GAINS = ("gain_straight", "gain_unaligned", "recovered")


def compared(means: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gains of the bridge, by name of GAINS."""
    bridge = means[BRIDGE]
    values = (
        bridge - means[STRAIGHT],
        bridge - means[NO_ALIGNMENT],
        bridge / means[ENGLISH_ROWS],
    )
    return dict(zip(GAINS, values, strict=True))


def interval(values) -> list[float]:
    """The value itself, which stands first, and the 95 % interval of the draws behind it."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return [float(values[0]), float(low), float(high)]


# The choice of "auto"


def regrets(cells: Cells) -> list[dict]:
    """How far "auto" is behind the best method of its row, by encoder, score, language and n."""
    rows = []
    for name, lang, n, score in product(MAX_PAIRS, LANGUAGES, SIZES, (MEAN, *TASKS, *SETS)):
        counts = {NO_ALIGNMENT: 0, **dict.fromkeys((CENTRED, *FREE, AUTO), n)}
        found = {
            method: value[0]
            for method, count in counts.items()
            if (value := cells.mean(name, "itself", lang, method, count, score))
        }
        if AUTO in found and NO_ALIGNMENT in found:
            best = max(found, key=lambda method: found[method])
            rows.append(
                {
                    "encoder": name,
                    "language": lang,
                    "pairs": n,
                    "score": score,
                    "auto": found[AUTO],
                    "best": best,
                    "regret": found[best] - found[AUTO],
                    "over_none": found[AUTO] - found[NO_ALIGNMENT],
                }
            )
    return rows
