"""A service that answers help-desk requests in Korean, and hands what it does not know to a person.

Needs pip install fastapi uvicorn "langalign-sk[skops]". Runs offline. The first start trains on
English requests and saves a folder, which executes nothing when it is loaded.

    python examples/service.py
    curl -H "Content-Type: application/json" -d '{"texts": ["카드를 잃어버렸어요."]}' \
        http://127.0.0.1:8000/predict
"""

import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the encoder is embedded in a package

import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, load, save
from langalign_sk.datasets import load_service_requests

FOLDER = Path(os.environ.get("SERVICE_MODEL", Path(tempfile.gettempdir(), "langalign-service")))
REVIEW_BELOW = 0.05  # one in twenty of the rows that the model was made for goes to a person
MAX_ROWS, MAX_LETTERS = 256, 2_000


def train():
    """The Korean pipeline of the quickstart; one encoder, on numpy, serves both languages."""
    X, y = load_service_requests(language="en", subset="train", return_X_y=True)
    aligner = CrossLingualAligner("ko", random_state=0)
    return make_pipeline(aligner, LogisticRegression(C=10, max_iter=1000)).fit(X, y)


def answer(pipe, texts):
    """Labels, qualities, and which rows a person should see."""
    quality = pipe[0].quality_score(texts)
    # A row of quality 0 is in another language, which `predict` would take for the best guess,
    # or is like nothing that the model has seen: it gets no label.
    known = np.flatnonzero(quality > 0).tolist()
    labels: list[str | None] = [None] * len(texts)
    if known:
        for i, label in zip(known, pipe.predict([texts[i] for i in known]), strict=True):
            labels[i] = str(label)
    review = quality < REVIEW_BELOW
    return {"labels": labels, "quality": quality.tolist(), "review": review.tolist()}


@asynccontextmanager
async def lifespan(app):
    app.state.pipe = load(FOLDER)
    app.state.pipe.predict(["안녕하세요"])  # loads the encoder, so that no customer waits for it
    yield


app = FastAPI(title="Help desk", lifespan=lifespan)


class Batch(BaseModel):
    texts: list[str]


class Answers(BaseModel):
    labels: list[str | None]
    quality: list[float]
    review: list[bool]


@app.exception_handler(RequestValidationError)
async def refuse(request, error):
    # FastAPI's own answer sends the input back, however long or broken it is.
    problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]]
    return JSONResponse({"detail": "; ".join(problems)}, status_code=422)


# Plain functions, not async: they run in threads, and the event loop goes on taking requests.
@app.post("/predict")
def predict(batch: Batch) -> Answers:
    texts = batch.texts
    if not 1 <= len(texts) <= MAX_ROWS:
        raise HTTPException(422, f"texts has {len(texts)} rows; send 1 to {MAX_ROWS}.")
    for i, text in enumerate(texts):
        if not text.strip():
            raise HTTPException(422, f"texts[{i}] is empty.")
        if len(text) > MAX_LETTERS:
            raise HTTPException(422, f"texts[{i}] has over {MAX_LETTERS} letters.")
    return answer(app.state.pipe, texts)


@app.get("/health")
def health():
    return {"status": "ok"}


if __name__ == "__main__":
    import uvicorn

    if not FOLDER.exists():
        save(train(), FOLDER)
        print(f"Trained, and saved to {FOLDER}")
    uvicorn.run(app, host="127.0.0.1", port=8000)
