"""Recall and counts by definition, for the displays to be compared with."""

from __future__ import annotations

import numpy as np

from langalign_sk import CrossLingualAligner
from tests.toy import PAIRS, ToyEncoder


def toy(**kwargs):
    """An aligner of text whose retrieval is far from perfect, fitted on the first half."""
    encoder = ToyEncoder(shift=3.0, noise=1.0)
    aligner = CrossLingualAligner(encoder=encoder, corpus=None, method="procrustes", **kwargs)
    return aligner.fit(PAIRS[:100])


def ranks(X, Y):
    """Place of row i of Y among all rows of Y, by cosine to row i of X, from 0 on."""
    S = cosines(X, Y)
    return (np.diag(S)[:, None] < S).sum(axis=1)


def cosines(X, Y):
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    return (X / np.linalg.norm(X, axis=1)[:, None]) @ (Y / np.linalg.norm(Y, axis=1)[:, None]).T


def recalls(X, Y, k):
    return np.array([[(ranks(*sides) < n).mean() for n in k] for sides in ((X, Y), (Y, X))])


def occurrences(seeking, found, k):
    nearest = np.argsort(-cosines(seeking, found), axis=1)[:, :k]
    return np.bincount(nearest.ravel(), minlength=len(found))


def labels(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]
