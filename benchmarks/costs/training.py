"""Training speed beside a bare torch loop and skorch's own loader, and peak memory."""

import numpy as np
import skorch
import torch

from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.network import Network
from langalign_sk.mapping.training.losses import Contrastive, SquaredError
from langalign_sk.mapping.training.modules import BothWays, Trainable, initial_layers

from .._lib.data import random_pairs
from .._lib.machine import machine, resident_bytes
from .._lib.tables import publish, read_results, to_rst, written_by
from .._lib.timing import in_own_process, seconds

N, D, EPOCHS, WIDTH, BATCH = 20_000, 512, 20, 256, 2_000
MEMORY_PAIRS = 200_000
NETWORKS = {"FC": "mse", "AE": "autoencoder"}


# The contrastive loss compares all rows of a batch, so that steps cost more in large batches.
CASES = (("contrastive", BATCH), ("contrastive", 256), ("mse", BATCH))


def settings(loss, batch_size):
    """Parameters of an adapter without held-out rows and without a map back."""
    return {
        "loss": loss,
        "architecture": "residual",
        "adapter_dim": WIDTH,
        "max_epochs": EPOCHS,
        "batch_size": batch_size,
        "start": "procrustes",
        "early_stopping": False,
        "inverse": False,
        "random_state": 0,
        "device": "cpu",
    }


def modules(X, Y, loss):
    start = LinearAligner("procrustes").fit(X, Y)
    layers = initial_layers([D, WIDTH, D], np.random.RandomState(0), zero_last=True)
    network = Network(start.coef_, start.intercept_, layers)
    trainable = Trainable(network, dropout=0.1, rank=None, linear=False, seed=0)
    contrastive = Contrastive(0.05, (1.0, 1.0), 0, False)
    return BothWays(trainable, None), contrastive if loss == "contrastive" else SquaredError()


def bare_loop(X, Y, loss, batch_size):
    """Training loop in plain torch with the same steps."""
    module, criterion = modules(X, Y, loss)
    x_all, y_all = torch.from_numpy(X), torch.from_numpy(Y)
    groups = torch.arange(len(X))
    parameters = [*module.parameters(), *criterion.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    steps = EPOCHS * round(len(X) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-3, total_steps=steps, pct_start=0.1
    )
    for _ in range(EPOCHS):
        for rows in torch.tensor_split(torch.randperm(len(X)), round(len(X) / batch_size)):
            x, y = x_all[rows], y_all[rows]
            optimizer.zero_grad()
            criterion(module(x, y), (x, y, groups[rows])).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()


def default_loader(X, Y, loss, batch_size):
    """One epoch of the same net with skorch's own dataset and loader."""
    module, criterion = modules(X, Y, loss)

    class Net(skorch.NeuralNet):
        def get_loss(self, y_pred, y_true, X=None, **_):
            groups = torch.arange(len(y_true))
            return self.criterion_(y_pred, (X["x"], y_true, groups))

    net = Net(
        module,
        criterion=criterion,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=1,
        train_split=None,
        verbose=0,
        iterator_train__shuffle=True,
    )
    net.fit({"x": X, "y": Y}, Y)


def peak_memory():
    """Peak resident memory, GB, of a process that fits, and relative to its two input arrays."""
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((MEMORY_PAIRS, D), dtype=np.float32)
    Y /= np.linalg.norm(Y, axis=1, keepdims=True)
    X = np.empty_like(Y)
    for i in range(0, MEMORY_PAIRS, 10_000):
        noise = rng.standard_normal((10_000, D), dtype=np.float32)
        X[i : i + 10_000] = Y[i : i + 10_000] + 0.01 * noise
    AdapterAligner(max_epochs=1, random_state=0, device="cpu").fit(X, Y)
    peak = resident_bytes("VmHWM")
    return peak / 1e9, peak / (X.nbytes + Y.nbytes)


def networks(X, Y):
    """Seconds of a fit of the paper's networks with the defaults, both directions."""
    of_network = {}
    for name, loss in NETWORKS.items():
        aligner = AdapterAligner(loss, random_state=0, device="cpu")
        of_network[name] = float(seconds(aligner.fit, X, Y)[0])
        print(name, of_network[name], flush=True)
    return of_network


def main(only: str | None = None) -> None:
    """Measure one part, or both: the speed of training, and the networks of the paper."""
    print(f"{N:,} pairs of {D}-d, adapter_dim={WIDTH}, {EPOCHS} epochs; {machine()}\n")
    X, Y = random_pairs(N, D)
    results = read_results("training")
    if only in (None, "networks"):
        results["networks"] = networks(X, Y)
    if only in (None, "speed"):
        results.update(speed(X, Y))
    publish("training", results, pages)


def speed(X, Y):
    """Seconds beside those of plain loops, and peak memory."""
    results = {}
    for loss, batch_size in CASES:
        fit = AdapterAligner(**settings(loss, batch_size)).fit
        ours, bare = [], []
        for _ in range(2):  # in turns, so that a slow moment of the machine hits both
            ours.append(seconds(fit, X, Y)[0])
            bare.append(seconds(bare_loop, X, Y, loss, batch_size)[0])
        loader = EPOCHS * seconds(default_loader, X, Y, loss, batch_size)[0]
        case = {
            "fit_s": float(np.min(ours)),
            "bare_loop_s": float(np.min(bare)),
            "default_loader_s": loader,
        }
        case["fit_over_bare"] = case["fit_s"] / case["bare_loop_s"]
        case["loader_over_fit"] = loader / case["fit_s"]
        results[f"{loss}, {batch_size:,} pairs"] = case
        print(loss, batch_size, {k: round(v, 2) for k, v in case.items()}, flush=True)
    gigabytes, ratio = in_own_process(peak_memory)
    results["memory"] = {"pairs": MEMORY_PAIRS, "peak_gb": gigabytes, "over_inputs": ratio}
    return results


def pages(results):
    """Text of the docs."""
    names = ("fit_s", "bare_loop_s", "default_loader_s")
    rows = [
        [name, *(f"{case[key]:.2f}" for key in names)]
        for name, case in results.items()
        if name not in ("machine", "memory", "networks")
    ]
    header = ["Batches", "AdapterAligner, s", "bare torch loop, s", "skorch's own loader, s"]
    memory = results["memory"]
    text = (
        f"Training on {N:,} pairs of {D}-d, ``adapter_dim={WIDTH}``, {EPOCHS} epochs, one "
        "direction, no held-out pairs; the bare loop makes the same steps, and the last column is "
        "the same net with the dataset and loader that skorch takes by default (one epoch, times "
        f"{EPOCHS}):\n\n"
        + to_rst(header, rows)
        + of_networks(results.get("networks", {}))
        + f"\nPeak memory of a process that trains on {memory['pairs']:,} pairs of {D}-d, both "
        f"directions, held-out pairs and imports included: {memory['peak_gb']:.2f} GB, "
        f"{memory['over_inputs']:.2f} times the two input arrays.\n\n"
        + written_by("training", results)
    )
    return {"training": text}


def of_networks(times):
    """Sentence about the networks of the paper."""
    if not times:
        return ""
    return (
        "\nA fit of the paper's networks on these pairs, from the closed form, with the defaults, both "
        "directions and held-out pairs: "
        + " and ".join(f"{t:.0f} s for {name}" for name, t in times.items())
        + ".\n"
    )
