"""A service that answers help-desk requests in Korean, and hands what it does not know to a person.

Needs pip install "langalign-sk[service,skops]". Runs offline. The first start trains on English
requests and saves a folder of the user, which executes nothing when it is loaded.

    python examples/service.py
    curl -H "Content-Type: application/json" -d '{"texts": ["카드를 잃어버렸어요."]}' \
        http://127.0.0.1:8000/predict

With SERVICE_TOKEN set, requests need the header "Authorization: Bearer TOKEN".
"""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the encoder is embedded in a package

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, save
from langalign_sk.datasets import load_service_requests
from langalign_sk.service import answer, create_app, serve, user_folder

__all__ = ["FOLDER", "answer", "app", "start", "train"]

FOLDER = Path(os.environ.get("SERVICE_MODEL") or user_folder("help-desk"))


def train():
    """The Korean pipeline of the quickstart; one encoder, on numpy, serves both languages."""
    X, y = load_service_requests(language="en", subset="train", return_X_y=True)
    aligner = CrossLingualAligner("ko", random_state=0)
    return make_pipeline(aligner, LogisticRegression(C=10, max_iter=1000)).fit(X, y)


def start(run, **settings):
    """`create_app` or `serve` with the settings of this service."""
    return run(
        FOLDER,
        token=os.environ.get("SERVICE_TOKEN"),
        review_below=0.05,  # one in twenty of the rows that the model was made for goes to a person
        warm_up=["안녕하세요"],
        title="Help desk",
        **settings,
    )


app = start(create_app)  # for another server; it loads FOLDER when it starts

if __name__ == "__main__":
    if not FOLDER.exists():
        os.umask(0o077)  # nobody else may write the model
        FOLDER.parent.mkdir(parents=True, exist_ok=True)
        save(train(), FOLDER)
        print(f"Trained, and saved to {FOLDER}")
    start(serve, port=int(os.environ.get("SERVICE_PORT", "8000")))
