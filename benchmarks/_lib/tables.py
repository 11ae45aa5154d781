"""What the benchmarks share: the data folder, a description of the machine, the results."""

import json

from .machine import machine
from .paths import ROOT


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
