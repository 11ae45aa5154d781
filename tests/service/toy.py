"""Models that the service can serve, and a client of its bare protocol."""

from __future__ import annotations

import json
from threading import Event

import numpy as np


class Greeter:
    """Answers with the length of a text; fails on what a test says."""

    def __init__(self, fails_on: str | None = None, error: type[Exception] = ValueError) -> None:
        self.fails_on, self.error = fails_on, error
        self.batches: list[list[str]] = []

    def predict(self, texts):
        self.batches.append(list(texts))
        if any(self.fails_on is not None and self.fails_on in text for text in texts):
            raise self.error(f"cannot read {texts!r}")
        return np.array([f"of {len(text)}" for text in texts])

    def quality_score(self, texts):
        return np.array([0.5 if text != "odd" else 0.0 for text in texts])


class Waiting(Greeter):
    """Answers when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go_on = Event(), Event()

    def predict(self, texts):
        self.began.set()
        if not self.go_on.wait(60):
            raise RuntimeError("the test did not let the model go on")
        return super().predict(texts)


def post(client, content, headers=None):
    """Answer to a body, as text or as JSON to be."""
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    headers = {"Content-Type": "application/json"} | (headers or {})
    return client.post("/predict", content=content, headers=headers)
