"""Tables of the docs and the README from the summaries of both parts."""

import numpy as np

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT
from .._lib.data import LANGUAGES
from .._lib.tables import to_markdown, to_rst, written_by
from . import search
from .methods import AE, CLOSED_FORM, FC, METHODS, RIDGE
from .sizes import DIRECTIONS, REVERSE, SCORES

TITLES = {"accuracy": "accuracy", "tatoeba": "Tatoeba R@1", "held_out": "held-out R@1"}
MOVES = {"reverse": "target rows move", "forward": "English rows move"}
OF_README = "USE"
NOT_YET = "Not measured yet.\n"


def pages(results: dict) -> dict[str, str]:
    """Text of the docs: an overview with the maps for search, the networks, and every language."""
    sizes = results.get("sizes")
    return {
        "adapters": overview(sizes)
        + search.text(results["scores"])
        + written_by("adapters", results),
        "adapters_networks": networks(sizes),
        "adapters_tables": tables(sizes),
    }


def readme(results: dict) -> dict[str, str]:
    """Recall and accuracy of moved target rows with as many pairs as there are, by language."""
    sizes = results.get("sizes", {"encoders": {}})
    of_encoder = sizes["encoders"].get(OF_README, {}).get(REVERSE, {})
    if any(of_encoder.get(lang, {}).get(FC, [None])[-1] is None for lang in LANGUAGES):
        return search.readme(results)
    header = [f"{lang} {what}" for what in ("R@1", "acc.") for lang in LANGUAGES]
    rows = [
        [
            method,
            *(
                value(of_encoder[lang][method][-1], score)
                for score in ("tatoeba", "accuracy")
                for lang in LANGUAGES
            ),
        ]
        for method in (NO_ALIGNMENT, *METHODS)
        if all(of_encoder[lang].get(method, [None])[-1] for lang in LANGUAGES)
    ]
    machine = f"Machine: {sizes['machine']}."
    return {"adapters": f"{to_markdown(['Map', *header], rows)}\n\n{machine}"}


def overview(sizes: dict | None) -> str:
    """Means over languages by number of pairs."""
    if not sizes:
        return ""
    parts = []
    for name, of_encoder in sizes["encoders"].items():
        for direction in DIRECTIONS:
            parts.append(f"{name}, {direction} ({MOVES[direction]}); means over the languages:\n\n")
            parts.append(to_rst(*mean_rows(of_encoder[direction], sizes["pairs"])) + "\n")
    return "".join(parts)


def networks(sizes: dict | None) -> str:
    """The networks of the paper beside closed forms, and what training did."""
    if not sizes:
        return NOT_YET
    return (
        "How far the two networks of the paper are above closed forms of the same pairs, in the "
        "language where it is least: held-out recall / accuracy.\n\n"
        + to_rst(*margin_rows(sizes))
        + "\nWhat training does: recall on the pairs that training itself holds out, at the start "
        "and with the weights that are kept, and the epoch that these are from; means over "
        "languages and seeds. Seconds are those of a fit with its map back.\n\n"
        + to_rst(*training_rows(sizes))
        + "\n"
        + written_by("adapters", sizes)
    )


def mean_rows(of_direction: dict, pairs: list[int]) -> tuple[list[str], list[list[str]]]:
    """A row per map, with each score by number of pairs."""
    header = ["Map", *(f"{TITLES[score]}, {n:,}" for score in SCORES for n in pairs)]
    rows = []
    for method in (NO_ALIGNMENT, *METHODS, ENGLISH_ROWS):
        of_method = [of_lang.get(method) for of_lang in of_direction.values()]
        if not of_method or None in of_method or len(of_method) < len(LANGUAGES):
            continue
        cells = []
        for score in SCORES:
            for at in range(len(pairs)):
                # What needs no pair stands in every column.
                found = [lines[min(at, len(lines) - 1)] for lines in of_method]
                cells.append(mean_value(found, score))
        rows.append([method, *cells])
    return header, rows


def margin_rows(sizes: dict) -> tuple[list[str], list[list[str]]]:
    """Smallest differences over the languages."""
    header = [
        "Encoder",
        "Direction",
        "Network",
        "beside",
        *(f"{n:,} pairs" for n in sizes["pairs"]),
    ]
    rows = []
    for name, of_encoder in sizes["encoders"].items():
        for direction in DIRECTIONS:
            for network in (FC, AE):
                for closed in (RIDGE, CLOSED_FORM):
                    cells = [
                        " / ".join(
                            smallest_gain(of_encoder[direction], network, closed, at, score)
                            for score in ("held_out", "accuracy")
                        )
                        for at in range(len(sizes["pairs"]))
                    ]
                    rows.append([name, direction, network, closed, *cells])
    return header, rows


def smallest_gain(of_direction: dict, network: str, closed: str, at: int, score: str) -> str:
    """Least difference of two maps over the languages."""
    place = 2 * SCORES.index(score)
    gains = []
    for of_lang in of_direction.values():
        ours, theirs = (of_lang.get(method, [None] * (at + 1))[at] for method in (network, closed))
        if ours and theirs:
            gains.append(ours[place] - theirs[place])
    return f"{min(gains):+.3f}" if gains else "–"


def training_rows(sizes: dict) -> tuple[list[str], list[list[str]]]:
    """Start, kept weights, epoch and seconds."""
    header = ["Encoder", "Map", "Pairs", "start", "kept", "epoch", "seconds"]
    rows = []
    for name, of_encoder in sizes["encoders"].items():
        for method, lines in of_encoder["training"].items():
            for n, line in zip(sizes["pairs"], lines, strict=True):
                if line:
                    start, kept, epoch, seconds = line
                    cells = [f"{start:.3f}", f"{kept:.3f}", f"{epoch:.1f}", f"{seconds:.0f}"]
                    rows.append([name, method, f"{n:,}", *cells])
    return header, rows


def tables(sizes: dict | None) -> str:
    """Every language, with deviations over seeds."""
    if not sizes:
        return NOT_YET
    header = ["Pairs", "Map"]
    header += [f"{lang} {TITLES[score]}" for score in SCORES for lang in LANGUAGES]
    parts = []
    for name, of_encoder in sizes["encoders"].items():
        for direction in DIRECTIONS:
            title = f"{name}: adapters and closed forms, {direction} direction"
            parts.append(f"{title}\n{'~' * len(title)}\n")
            parts.append(to_rst(header, size_rows(of_encoder[direction], sizes["pairs"])))
    return "\n".join(parts)


def size_rows(of_direction: dict, pairs: list[int]) -> list[list[str]]:
    """Rows by number of pairs and map."""
    rows = []
    wanted = [("–", NO_ALIGNMENT, 0)]
    wanted += [(f"{n:,}", method, at) for at, n in enumerate(pairs) for method in METHODS]
    for label, method, at in wanted:
        found = {lang: of_lang.get(method) for lang, of_lang in of_direction.items()}
        lines = {lang: of_method[at] for lang, of_method in found.items() if of_method}
        if any(lines.values()):
            rows.append(
                [
                    label,
                    method,
                    *(value(lines.get(lang), score) for score in SCORES for lang in LANGUAGES),
                ]
            )
    return rows


def value(line: list | None, score: str) -> str:
    """Cell of a mean and its deviation over seeds."""
    place = 2 * SCORES.index(score)
    if line is None or line[place] is None:
        return "–"
    mean, deviation = line[place : place + 2]
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def mean_value(lines: list, score: str) -> str:
    """Cell of a mean over languages."""
    place = 2 * SCORES.index(score)
    values = [line[place] for line in lines if line is not None]
    if len(values) < len(LANGUAGES) or None in values:
        return "–"
    return f"{np.mean(values):.3f}"
