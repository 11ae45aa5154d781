"""MSE distillation with sentence-transformers: a small student learns to read a language."""

import json
import time

import numpy as np

from langalign_sk.encoders.models.packaged import minilm_folder
from langalign_sk.metrics import retrieval_scores

# All but the second rate are those of sentence-transformers' example of multilingual training.
BATCH, MAX_TOKENS, RATES, WARM_UP = 64, 128, (2e-5, 2e-4), 0.1


def trained_student(texts, teacher, rate, seconds):
    """all-MiniLM-L6-v2 after some seconds of MSELoss on texts and the vectors they should get."""
    import torch
    from sentence_transformers import SentenceTransformer, losses

    torch.manual_seed(0)
    student = SentenceTransformer(minilm_folder(), device="cpu")
    student.max_seq_length = MAX_TOKENS
    student.train()
    loss = losses.MSELoss(student)
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate)
    rng, start, seen = np.random.default_rng(0), time.perf_counter(), 0
    # Texts of one length together: the padding of mixed batches takes most of the time.
    order = np.argsort([len(text) for text in texts])
    batches = np.array_split(order, max(1, len(texts) // BATCH))
    while True:
        for i in rng.permutation(len(batches)):
            progress = (time.perf_counter() - start) / seconds
            if progress >= 1:
                return student.eval(), seen
            # Linear warm-up, and linear decay to 0.
            slope = min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))
            optimizer.param_groups[0]["lr"] = rate * slope
            optimizer.zero_grad()
            features = student.preprocess([texts[row] for row in batches[i]])
            loss([features], torch.from_numpy(teacher[batches[i]])).backward()
            optimizer.step()
            seen += len(batches[i])


def distilled(folder, Y, seconds, held_out):
    """Encoder and description of a student of texts.json, whose vectors should be Y.

    Half of the seconds choose the learning rate on held-out pairs, and half train on all pairs.
    """
    texts = json.loads((folder / "texts.json").read_text())["X"]
    order = np.random.default_rng(0).permutation(len(texts))
    held, rest = np.split(order, [int(held_out * len(texts))])

    def recall(rate):
        share = seconds / 2 / len(RATES)
        student, _ = trained_student([texts[i] for i in rest], Y[rest], rate, share)
        return retrieval_scores(student.encode([texts[i] for i in held]), Y[held]).recall_at_1

    rate = max(RATES, key=recall)
    student, seen = trained_student(texts, Y, rate, seconds / 2)
    return student.encode, f"lr={rate:g}, {seen:,} texts in the last {seconds / 2:.0f} s"
