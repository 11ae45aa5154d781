"""Calibration errors of an English head in other languages, before and after recalibration.

The head sees English training rows only. The target rows of the dev set calibrate it, with and
without their labels; errors are those of the test rows.
"""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV

from langalign_sk import CrossLingualAligner
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.metrics.calibration import expected_calibration_error

from .._lib.data import LANGUAGES, SEED, data_folder, read_rows
from .._lib.encoders import encoder
from .._lib.machine import machine
from .._lib.tables import publish, to_rst, written_by

N_BINS, MARGIN = 15, 0.03
GRID = {"C": [0.1, 0.3, 1, 3, 10, 30, 100, 300]}
# Both choices of C are common. By accuracy, it may be so small that the head is shy.
CHOSEN_BY = {"accuracy": "accuracy", "neg_log_loss": "log loss"}
NONE, UNLABELLED, LABELLED = "no recalibration", "unlabelled", "labelled"


def rows(name):
    """Texts and labels of a file of SIB-200."""
    path = data_folder() / "eval" / "sib200" / name
    labels, texts = zip(*(row[:2] for row in read_rows(path)), strict=True)
    return list(texts), np.array(labels)


def measures(classes, y, probabilities):
    """Errors of probabilities against labels."""
    return {
        "ece": expected_calibration_error(y, probabilities, n_bins=N_BINS, labels=classes),
        "log_loss": log_loss(y, probabilities, labels=classes),
        "accuracy": accuracy_score(y, classes[probabilities.argmax(axis=1)]),
        "n": len(y),
    }


def calibrated(head, aligner, language, prior):
    """Errors on the test rows of a language, for every way of calibration."""
    X, y = rows(f"{language}_dev.tsv")
    test, truth = rows(f"{language}_test.tsv")
    out = {}
    for way, choice, labels in (
        (NONE, "none", None),
        (UNLABELLED, "auto", None),
        (LABELLED, "auto", y),
    ):
        model = AlignedClassifier(head, aligner, calibration=choice, class_prior=prior)
        model.fit(X, labels)
        out[way] = {
            **measures(model.classes_, truth, model.predict_proba(test)),
            "calibration": model.calibration_,
            "temperature": model.temperature_,
        }
    return out


def main():
    print(machine(), "\n")
    use, minilm = encoder("use-multilingual"), encoder("minilm-english")
    X, y = rows("en_train.tsv")
    test, truth = rows("en_test.tsv")
    prior = np.unique(y, return_counts=True)[1]
    heads: dict[str, dict] = {}
    for system, english in (("use-multilingual", None), ("minilm-english", minilm)):
        aligners = {}
        for language in LANGUAGES:
            aligner = CrossLingualAligner(
                language, encoder=use, english_encoder=english, random_state=SEED
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what the report says
                aligners[language] = aligner.fit(X).freeze()
        vectors = (english or use).transform
        for scoring, name in CHOSEN_BY.items():
            search = GridSearchCV(LogisticRegression(max_iter=3000), GRID, cv=5, scoring=scoring)
            head = search.fit(vectors(X), y).best_estimator_
            own = measures(head.classes_, truth, head.predict_proba(vectors(test)))
            key = f"{system}, C={head.C:g} by {name}"
            heads[key] = {"en": own}
            print(f"{key}: English {own['ece']:.3f} (n = {own['n']})")
            for language, aligner in aligners.items():
                found = calibrated(head, aligner, language, prior)
                heads[key][language] = found
                for way, errors in found.items():
                    show(language, way, errors, own)
    results = {"seed": SEED, "n_bins": N_BINS, "margin": MARGIN, "heads": heads}
    publish("calibration", results, pages)


def show(language, way, errors, own):
    """Print the errors of a way, and whether they are near those of English rows."""
    verdict = "within" if errors["ece"] <= own["ece"] + MARGIN else "NOT within"
    print(
        f"  {language} {way}: ECE {errors['ece']:.3f}, log loss {errors['log_loss']:.3f}, "
        f"accuracy {errors['accuracy']:.3f}, {errors['calibration']}, temperature "
        f"{errors['temperature']:.2f}; {verdict} {MARGIN} of English (n = {errors['n']})"
    )


def pages(results):
    """Text of the docs."""
    ways = (NONE, UNLABELLED, LABELLED)
    table, sizes = [], set()
    for name, head in results["heads"].items():
        own = head["en"]["ece"]
        sizes.add(head["en"]["n"])
        for language in LANGUAGES:
            cells = [head[language][way] for way in ways]
            sizes.update(cell["n"] for cell in cells)
            errors = [f"{cell['ece']:.3f}" for cell in cells]
            losses = [f"{cell['log_loss']:.3f}" for cell in cells]
            table.append([name, language, f"{own:.3f}", *errors, *losses])
    header = ["Head", "", "English, own ECE"]
    header += [f"{what}, {way}" for what in ("ECE", "Log loss") for way in ways]
    text = (
        f"Expected calibration error ({results['n_bins']} bins) and log loss on the test rows of "
        f"SIB-200 (n = {', '.join(map(str, sorted(sizes)))} for every number). The head is a "
        "logistic regression on English rows, its C chosen by cross-validation on them by "
        "accuracy or by log loss; the 99 target rows of the dev set calibrate it. Without labels, "
        "the temperature is fitted to the pairs of the starter corpus. That it is at least 1 then, "
        "and that EM is left out, was decided when test rows of this set and of debian_section and "
        "xrisawoz_domain had been seen:\n\n"
        + to_rst(header, table)
        + "\n"
        + written_by("calibration", results)
    )
    return {"calibration": text}
