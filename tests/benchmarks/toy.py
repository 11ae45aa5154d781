"""Encoded rows of a toy encoder, for the benchmarks of maps."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.adapters.sizes import Rows

N_TEST, N_PAIRS, WIDTH = 40, 60, 5


class ToyBench:
    """English rows of three classes; target rows are turned and moved."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
        Y, y = self.english(rng, N_TEST)
        self.train = {"sib200": self.english(rng, N_TEST)}
        self.heads = {"sib200": LogisticRegression().fit(*self.train["sib200"])}
        self.tests = {("ko", "sib200"): (self.target(Y), y), ("en", "sib200"): (Y, y)}
        self.sets = {("ko", "tatoeba"): (self.target(Y), Y)}
        pairs, held_out = self.english(rng, N_PAIRS)[0], self.english(rng, N_TEST)[0]
        self.pairs = {"ko": (self.target(pairs), pairs)}
        self.held_out = {"ko": (self.target(held_out), held_out)}

    def english(self, rng, n):
        y = np.arange(n) % 3
        return rng.normal(size=(n, WIDTH)) + 4 * np.eye(WIDTH)[y], y

    def target(self, rows):
        return rows @ self.turn + 1

    def hits(self, lang, move, task):
        X, y = self.tests[lang, task]
        return self.heads[task].predict(move(X)) == y


def toy_rows() -> Rows:
    """What the benchmark of adapters encodes."""
    bench = ToyBench()
    return Rows(bench, bench.pairs, bench.held_out)
