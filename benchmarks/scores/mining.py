"""Claims of mining: expected and true precision, where translations are missing and where all are."""

import warnings

import numpy as np

from langalign_sk import CrossLingualAligner, mine_pairs
from langalign_sk.datasets import load_starter_corpus

from .._lib.data import LANGUAGES, SETS, data_folder, load_pairs, read_rows
from .._lib.encoders import encoder
from .._lib.machine import machine
from .._lib.tables import publish, rounded, to_rst, written_by

NAME = "use-multilingual"
SYSTEMS = {"no alignment": None, "Procrustes": 3_000}  # pairs that the map is fitted on
REMOVED, SEEDS = (0.0, 0.3, 0.6, 0.9), (0, 1, 2)
# Language, source, sentences a side, system. The constants of the mixture were chosen on other draws
# of the sources of `parallel`, and on no draw of NTREX and Tatoeba.
UNRELATED = (
    ("ko", "starter", 50, 0),
    ("ja", "starter", 100, 1),
    ("zh", "starter", 200, 0),
    ("ko", "starter", 300, 1),
    ("ko", "ntrex", 50, 0),
    ("ja", "ntrex", 300, 1),
    ("zh", "ntrex", 900, 0),
    ("ko", "tatoeba", 100, 1),
    ("ja", "tatoeba", 200, 0),
    ("zh", "tatoeba", 500, 1),
    ("ko", "tldr", 2_000, 0),
    ("ja", "xpersona", 2_000, 1),
    ("zh", "xpersona", 1_000, 0),
    ("ko", "jhe", 500, 1),
    ("ja", "debian_desc", 2_000, 0),
    ("zh", "mozilla_www", 1_000, 1),
    ("ko", "park_news", 1_000, 0),
    ("ja", "mozilla_www", 200, 1),
    ("zh", "tldr", 100, 0),
    ("ja", "anki_tatoeba", 300, 1),
)
MOST = 0.2  # expected precision that unrelated collections may claim


def source(name, language):
    """English and target sentences of a source."""
    if name == "starter":
        pairs = load_starter_corpus()
        return list(pairs["en"]), list(pairs[language])
    folder = data_folder()
    path = folder / "parallel" / language / f"{name}.tsv"
    if name in SETS:
        path = folder / "eval" / name / f"{language}.tsv"
    english, target = zip(*(row[:2] for row in read_rows(path)), strict=True)
    return list(english), list(target)


def aligners(language):
    """A map for each system."""
    use = encoder(NAME)
    out = [CrossLingualAligner(language, encoder=use, method="identity", corpus=None).fit(["."])]
    target, english = load_pairs(data_folder(), SYSTEMS["Procrustes"], [language])[language]
    fitted = CrossLingualAligner(language, encoder=use, method="procrustes", random_state=0)
    return [*out, fitted.fit(list(zip(target, english, strict=True)))]


class Pairs:
    """Rows of translation pairs, and which of them mean the same."""

    def __init__(self, english, target, aligner):
        self.S, self.T = aligner.transform(english), aligner.transform(target)
        self.english, self.target = np.array(english), np.array(target)

    def mined(self, left, right):
        """Claim, true precision, recall, pairs and warnings, of rows on both sides."""
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = mine_pairs(self.S[left], self.T[right])
        i, j = left[found.source_index], right[found.target_index]
        hits = self.same(i, j)
        shared = np.isin(self.english[left], self.english[right])
        return {
            "claim": float(found.expected_precision),
            "true": float(hits.mean()) if len(hits) else None,
            "recall": float(hits.sum() / max(shared.sum(), 1)),
            "pairs": len(hits),
            "warned": bool(seen),
        }

    def same(self, i, j):
        """Whether rows of both sides are translations: of one pair, or of pairs with one side equal."""
        return (self.english[i] == self.english[j]) | (self.target[i] == self.target[j])


def places(n, removed, same_size, rng):
    """Rows of both sides, when a share of the translations of one side is removed."""
    order = rng.permutation(n)
    if not same_size:
        return order, order[: round((1 - removed) * n)]
    size = int(n / (1 + removed))
    shared = round((1 - removed) * size)
    return order[:size], np.r_[order[:shared], order[size : 2 * size - shared]]


def missing(language, systems):
    """Claims where translations are removed from NTREX and Tatoeba."""
    out = []
    for name in SETS:
        english, target = source(name, language)
        for system, aligner in zip(SYSTEMS, systems, strict=True):
            pairs = Pairs(english, target, aligner)
            for same_size in (True, False):
                for removed in REMOVED if same_size else REMOVED[1:]:
                    for seed in SEEDS:
                        rng = np.random.default_rng(seed)
                        sides = places(len(english), removed, same_size, rng)
                        out.append(
                            {
                                "set": name,
                                "language": language,
                                "system": system,
                                "same size": same_size,
                                "removed": removed,
                                **pairs.mined(*sides),
                            }
                        )
    return out


def repeated(language, systems):
    """Claims where target sentences have a near duplicate, and where one side is ten times larger."""
    english, target = source("ntrex", language)
    n, out = len(english), []
    for system, aligner in zip(SYSTEMS, systems, strict=True):
        # A near duplicate lacks the last character, as a full stop.
        pairs = Pairs(2 * english, target + [text[:-1] or text for text in target], aligner)
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(n)
            half = order[: n // 2]
            kinds = {
                "every target sentence twice": (half, np.r_[half, half]),
                "every one with a near duplicate": (half, np.r_[half, half + n]),
                "the same, half of the sentences shared": (
                    half,
                    np.r_[order[n // 4 : 3 * n // 4], order[n // 4 : 3 * n // 4] + n],
                ),
                "10 times as many English, half shared": (order[: n - 90], order[n - 180 :]),
                "10 times as many target, half shared": (order[n - 180 :], order[: n - 90]),
            }
            for kind, sides in kinds.items():
                out.append(
                    {"kind": kind, "language": language, "system": system, **pairs.mined(*sides)}
                )
    return out


def unrelated(systems):
    """Claims of collections that share no pair."""
    out = []
    for seed, (language, name, n, system) in enumerate(UNRELATED):
        english, target = source(name, language)
        order = np.random.default_rng(100 + seed).permutation(len(english))[: 2 * n]
        # A sentence that is a part of two pairs would be shared.
        left, right = order[:n], order[n:]
        known = {english[i] for i in left}, {target[i] for i in left}
        right = np.array(
            [i for i in right if english[i] not in known[0] and target[i] not in known[1]]
        )
        chosen = np.r_[left, right]
        pairs = Pairs(
            [english[i] for i in chosen], [target[i] for i in chosen], systems[language][system]
        )
        sides = np.arange(len(left)), len(left) + np.arange(len(right))
        found = pairs.mined(*sides)
        out.append(
            {
                "source": name,
                "language": language,
                "system": list(SYSTEMS)[system],
                "sentences": [len(left), len(right)],
                **{key: found[key] for key in ("claim", "pairs", "warned")},
            }
        )
    return out


def main():
    print(machine(), "\n")
    systems = {language: aligners(language) for language in LANGUAGES}
    results = {
        "missing": [row for code in LANGUAGES for row in missing(code, systems[code])],
        "repeated": [row for code in LANGUAGES for row in repeated(code, systems[code])],
        "unrelated": unrelated(systems),
    }
    publish("mining", summary(rounded(results)), pages, depth=2)


def summary(results):
    """Means over seeds and the largest difference, by cell."""
    cells = {}
    for part, keys in (
        ("missing", ("set", "same size", "removed")),
        ("repeated", ("kind",)),
    ):
        grouped: dict[tuple, list] = {}
        for row in results[part]:
            key = (*(row[name] for name in keys), row["system"], row["language"])
            grouped.setdefault(key, []).append(row)
        cells[part] = [[*key, *cell(rows)] for key, rows in grouped.items()]
    return {**cells, "unrelated": [list(row.values()) for row in results["unrelated"]]}


def cell(rows):
    """Mean claim, true precision and recall of draws, and their largest difference and number."""
    found = [row for row in rows if row["pairs"]]
    differences = [abs(row["claim"] - row["true"]) for row in found]
    values = [
        np.mean([row["claim"] for row in rows]),
        np.mean([row["true"] for row in found]) if found else None,
        np.mean([row["recall"] for row in rows]),
        max(differences, default=0.0),
    ]
    return [*rounded(values), len(found)]


def pages(results):
    """Text of the docs."""
    note = "\n" + written_by("mining", results)
    claims = [row[4] for row in results["unrelated"]]
    too_sure = sum(claim > MOST for claim in claims)
    text = (
        "Collections that share no pair: "
        f"{too_sure} of {len(claims)} draws claim a precision over {MOST}; "
        f"{sum(row[6] for row in results['unrelated'])} of them warn.\n\n"
        + to_rst(
            ["Source", "", "Map", "Sentences a side", "expected precision", "pairs"],
            [
                [name, language, system, f"{left:,} and {right:,}", f"{claim:.2f}", str(pairs)]
                for name, language, system, (left, right), claim, pairs, _ in results["unrelated"]
            ],
        )
        + "\n"
    )
    titles = {"ntrex": "NTREX", "tatoeba": "Tatoeba"}
    rows: dict[tuple, dict] = {}
    for name, same_size, removed, system, language, *values in results["missing"]:
        sizes = "equal" if same_size else "one side smaller"
        key = (titles[name], sizes, f"{removed:.0%}", system)
        rows.setdefault(key, {})[language] = shown(values)
    header = [*LANGUAGES]
    text += (
        f"Expected / true precision, mean of {len(SEEDS)} draws, and in brackets their largest "
        "difference in a draw; a dash stands for no pair found.\n\n"
        + to_rst(
            ["Set", "Sizes", "removed", "Map", *header],
            [[*key, *(found[code] for code in LANGUAGES)] for key, found in rows.items()],
        )
        + "\n"
    )
    rows = {}
    for kind, system, language, *values in results["repeated"]:
        rows.setdefault((kind, system), {})[language] = shown(values)
    text += to_rst(
        ["NTREX", "Map", *header],
        [[*key, *(found[code] for code in LANGUAGES)] for key, found in rows.items()],
    )
    return {"mining_claims": text + note}


def shown(values):
    claim, true, _, difference, n_found = values
    if true is None:
        return f"{claim:.2f} / –"
    empty = f", {len(SEEDS) - n_found} without a pair" if n_found < len(SEEDS) else ""
    return f"{claim:.2f} / {true:.2f} ({difference:.2f}{empty})"
