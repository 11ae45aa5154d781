"""Both directions of alignment: a Korean head from moved English rows, and Korean rows that are moved.

Forward, a head is trained on English rows that were moved to where Korean rows lie; in service there
is no aligner. In reverse, the English head stays as it is, and every Korean row is moved in front of
it. One table compares both with no alignment and with English rows, by map and over three seeds.
Runs offline in about a minute on two cores.
"""

import os
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the encoder is embedded in a package
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of small matrices wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.datasets import load_service_requests

SEEDS = (0, 1, 2)
REQUESTS = ["카드를 잃어버렸어요. 바로 정지해 주세요.", "비밀번호를 잊어버렸어요."]
METHODS = {
    "closed form": "ridge",
    "FC": "mse",
    "AE": "autoencoder",
    "contrastive": "contrastive",
}

english, intents = load_service_requests(language="en", return_X_y=True)
english_test, test_intents = load_service_requests(
    language="en", subset="test", return_X_y=True
)  # the Korean test rows are their translations
korean_test, _ = load_service_requests(language="ko", subset="test", return_X_y=True)
encoder = SentenceEncoder()


def tuned_head() -> GridSearchCV:
    """Logistic regression, with C by cross-validation on the rows that it is fitted on."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return GridSearchCV(LogisticRegression(max_iter=2_000), {"C": [0.1, 1, 10, 100]}, cv=folds)


def aligner(method: str, seed: int, **parameters: Any) -> CrossLingualAligner:
    """Map that is learned from the 640 pairs of the starter corpus."""
    return CrossLingualAligner(
        "ko", encoder=encoder, method=method, random_state=seed, **parameters
    )


def train_forward(method: str, seed: int) -> Pipeline:
    """What serves Korean: the encoder, and a head trained on English rows that were moved."""
    moving = Pipeline(
        [
            ("align", aligner(method, seed, output_space="target")),
            ("head", tuned_head()),
        ]
    )
    moving.fit(english, intents)
    return make_pipeline(encoder, moving["head"].best_estimator_)


english_model = make_pipeline(encoder, tuned_head()).fit(english, intents)
english_head = english_model[-1]


def score_reverse(method: str, seed: int) -> float:
    """Accuracy of the English head, as it is, on Korean rows that are moved."""
    moved = aligner(method, seed).fit(english).transform(korean_test)
    return english_head.score(moved, test_intents)


def shown(scores: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    return f"{np.mean(scores):.3f} ± {np.std(scores):.3f}"


def compare() -> tuple[pd.DataFrame, dict[str, list[Pipeline]]]:
    """Table of both directions, and the models that serve Korean after the forward one."""
    served = {
        name: [train_forward(method, seed) for seed in SEEDS] for name, method in METHODS.items()
    }
    rows = {}
    for name, models in served.items():
        forward = [model.score(korean_test, test_intents) for model in models]
        reverse = [score_reverse(METHODS[name], seed) for seed in SEEDS]
        rows[name] = {"forward": shown(forward), "reverse": shown(reverse)}
    baselines = {"no alignment": korean_test, "English test rows": english_test}
    for name, texts in baselines.items():
        rows[name] = dict.fromkeys(
            ("forward", "reverse"), f"{english_model.score(texts, test_intents):.3f}"
        )
    return pd.DataFrame.from_dict(rows, orient="index"), served


if __name__ == "__main__":
    table, served = compare()
    print(
        f"Accuracy on {len(korean_test)} Korean requests of {len(set(intents))} intents; every head "
        f"saw {len(english)} English requests only.\n"
    )
    print(table.to_string())
    model = served["FC"][0]
    steps = " and ".join(type(step).__name__ for _, step in model.steps)
    print(f"\nWhat serves Korean, forward: {steps}.")
    for text, intent in zip(REQUESTS, model.predict(REQUESTS), strict=True):
        print(f"  {text}  {intent}")
