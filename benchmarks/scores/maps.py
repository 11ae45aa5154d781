"""Language maps chosen by a classifier's answers, by retrieval, and by nobody.

Heads see English training rows of SIB-200, the pairs are those of the starter corpus, and the target
rows of the dev set score every map. Test rows play no part.
"""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.metrics import log_loss

from langalign_sk import CrossLingualAligner, KernelRidgeClassifier, LinearAligner
from langalign_sk.classifier._map_choice import choose_map, near_identity_maps
from langalign_sk.datasets import load_starter_corpus

from .._lib.data import LANGUAGES, SEED, data_folder, read_rows
from .._lib.encoders import e5, encoder
from .._lib.machine import machine
from .._lib.tables import publish, to_rst, written_by

NONE, RETRIEVAL, HEAD = "no alignment", '"auto", by retrieval', "by the head's answers"
FIXED = {
    "centre": LinearAligner("centre"),
    **{f"ridge {a:g}": LinearAligner("ridge", alpha=a) for a in (30.0, 10.0, 3.0, 1.0)},
    "procrustes": LinearAligner("procrustes"),
}
WAYS = (NONE, RETRIEVAL, HEAD, *FIXED)


def rows(name):
    """Texts and labels of a file of SIB-200."""
    path = data_folder() / "eval" / "sib200" / name
    labels, texts = zip(*(row[:2] for row in read_rows(path)), strict=True)
    return list(texts), np.array(labels)


def views(source, minilm, X, y):
    """Probabilities of a head on an encoder's own rows, and of one behind a cross-fitted bridge."""
    own = KernelRidgeClassifier(random_state=SEED).fit(source.transform(X), y)
    aligner = CrossLingualAligner(
        "ko", encoder=source, english_encoder=minilm, method="identity", random_state=SEED
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what the report says
        bridged = aligner.fit_transform(X, cross_fit=5)
    head = KernelRidgeClassifier(random_state=SEED).fit(bridged, y)
    yield "own rows", own.classes_, own.predict_proba
    bridge = aligner.bridge_map_
    if bridge is None:
        raise RuntimeError("the aligner learned no bridge")
    yield "bridged", own.classes_, lambda Z: head.predict_proba(bridge.transform(Z))


def maps_of(pairs, proba):
    """Fitted maps by the way that they come about, and how the choice by the head compared them."""
    chosen = choose_map(pairs, near_identity_maps(), proba, random_state=SEED)
    maps = {NONE: LinearAligner("identity"), RETRIEVAL: LinearAligner(random_state=SEED), **FIXED}
    fitted = {way: clone(one).fit_rows(pairs) for way, one in maps.items()}
    return {**fitted, HEAD: chosen.best}, chosen.results


def main():
    print(machine(), "\n")
    minilm = encoder("minilm-english")
    X, y = rows("en_train.tsv")
    cells = []
    for name, source in (("USE", encoder("use-multilingual")), ("e5", e5())):
        pairs = {}
        for language in LANGUAGES:
            corpus = load_starter_corpus(language)
            sides = source.transform(list(corpus.target)), source.transform(list(corpus.source))
            pairs[language] = LinearAligner().check_rows(*sides)
        for view, classes, proba in views(source, minilm, X, y):
            for language in LANGUAGES:
                texts, labels = rows(f"{language}_dev.tsv")
                Z = source.transform(texts)
                fitted, results = maps_of(pairs[language], proba)
                scores = {}
                for way in WAYS:
                    answers = proba(fitted[way].transform(Z))
                    scores[way] = {
                        "accuracy": float((classes[answers.argmax(axis=1)] == labels).mean()),
                        "log_loss": float(log_loss(labels, answers, labels=classes)),
                    }
                shown = {w: [round(v, 3) for v in s.values()] for w, s in scores.items()}
                print(name, view, language, fitted[HEAD].method_, fitted[HEAD].alpha_, shown)
                choice = [results[key] for key in ("gain", "standard_error", "share")]
                cell = {"encoder": name, "view": view, "language": language, "n": len(labels)}
                cells.append({**cell, "scores": scores, "choice": choice})
    publish("maps", {"seed": SEED, "cells": cells}, pages)


def pages(results):
    """Text of the docs."""
    cells = results["cells"]
    kinds = list(dict.fromkeys((cell["encoder"], cell["view"]) for cell in cells))
    table = []
    for way in WAYS:
        line = [way]
        for kind in kinds:
            scores = [c["scores"][way] for c in cells if (c["encoder"], c["view"]) == kind]
            means = [np.mean([s[key] for s in scores]) for key in ("accuracy", "log_loss")]
            line.append(" / ".join(f"{mean:.3f}" for mean in means))
        table.append(line)
    sizes = sorted({cell["n"] for cell in cells})
    text = (
        "Accuracy / log loss on the target rows of the dev set of SIB-200, means of Korean, Japanese "
        f"and Chinese (n = {', '.join(map(str, sizes))} each). Kernel ridge heads on English rows, in "
        "the encoder itself and behind a cross-fitted bridge to MiniLM; maps from the 640 pairs of the "
        "starter corpus. The rule of the choice by the head's answers, and its candidates (centre, "
        "ridge 30, ridge 10), were themselves found on these rows:\n\n"
        + to_rst(["Map", *(", ".join(kind) for kind in kinds)], table)
        + "\n"
        + written_by("maps", results)
    )
    return {"maps": text}
