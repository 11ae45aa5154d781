"""What the benchmarks share: the data folder, a description of the machine, the results."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from langalign_sk import SentenceEncoder

from . import e5_folder

ROOT = Path(__file__).parents[1]
PACKAGES = ("numpy", "scikit-learn", "torch", "sentence-transformers")


def data_folder() -> Path:
    """Evaluation corpora: LANGALIGN_DATA, or shared/data beside the repository."""
    given = os.environ.get("LANGALIGN_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        raise SystemExit(f"no evaluation corpora in {folder}: set LANGALIGN_DATA to their folder")
    return folder


def read_rows(path: Path) -> list[list[str]]:
    """Cells of a tab-separated file without a header."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]


def machine() -> str:
    """Processor, cores and versions, in one line."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(x.split(":")[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{name}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


CACHE = ROOT / "benchmarks" / ".cache"


def encoder(name: str, **settings) -> SentenceEncoder:
    """An encoder that keeps its rows for the next benchmark too: all encode the same texts."""
    return SentenceEncoder(name, cache=CACHE / "rows", verbose=True, **settings)


def e5() -> SentenceEncoder:
    """multilingual-e5-small with 4-bit weights, with the prompt that its makers ask for."""
    return encoder(str(e5_folder.build(CACHE / "multilingual-e5-small-4bit")), prompt="query: ")


def resident_bytes(field: str) -> int:
    """Memory of this process; getrusage would give that of the process it was started by."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith(field)) * 1024


def write_results(name: str, results: dict) -> None:
    """Keep the numbers as JSON beside the benchmark."""
    text = json.dumps({"machine": machine(), **results}, indent=1, ensure_ascii=False)
    (ROOT / "benchmarks" / "results" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def write_readme(name: str, markdown: str) -> None:
    """Put a table between its two markers in the README."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    if start not in text or end not in text:
        raise SystemExit(f"README.md lacks the markers {start} and {end}")
    before, after = text.split(start)[0], text.split(end)[1]
    path.write_text(f"{before}{start}\n{markdown}\n{end}{after}", encoding="utf-8")


def to_markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def to_rst(header: list[str], rows: list[list[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in (header, *rows):
        lines += [("   * - " if i == 0 else "     - ") + cell for i, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"
