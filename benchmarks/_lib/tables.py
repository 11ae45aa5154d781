"""Results as JSON, and tables for the docs and the README."""

import json
from collections.abc import Callable

import numpy as np

from .machine import machine
from .paths import PAGES, RESULTS, ROOT

Texts = Callable[[dict], dict[str, str]]


def publish(
    name: str,
    results: dict,
    pages: Texts,
    readme: Texts | None = None,
    *,
    depth: int | None = None,
) -> None:
    """Write results, and what the docs and the README show of them.

    Parameters
    ----------
    name : str
        The benchmark.
    results : dict
        What it measured.
    pages, readme : callable
        Texts by page, or by part of the README, of the results with their machine.
    depth : int, optional
        Of :func:`write_results`.
    """
    results = write_results(name, results, depth)
    for page, text in pages(results).items():
        write_page(page, text)
        print(text)
    for part, text in readme(results).items() if readme else ():
        write_readme(part, text)


def written_by(name: str, results: dict) -> str:
    """Last line of a page."""
    return f"Written by ``python -m benchmarks {name}``. Machine: {results['machine']}.\n"


def write_results(name: str, results: dict, depth: int | None = None) -> dict:
    """Write the numbers as JSON beside the benchmark, and return them with the machine.

    Results that bring a "machine" were measured there. Dicts are on lines of their own down to
    `depth`, by default all of them and all lists too.
    """
    results = {"machine": machine(), **results}
    if depth is None:
        text = json.dumps(results, indent=1, ensure_ascii=False)
    else:
        text = to_json(results, depth)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return results


def read_results(name: str) -> dict:
    """Results of an earlier run, which are kept beside the benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def to_json(value, depth: int) -> str:
    """JSON with a line for every entry of a dict and every row of a list, down to a depth."""
    if depth > 0 and isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {to_json(part, depth - 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(entries) + "\n}"
    if depth > 0 and isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def write_page(name: str, text: str) -> None:
    """Write what a page of the docs includes."""
    (PAGES / f"{name}.rst").write_text(text, encoding="utf-8")


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
    """Table of a Markdown page."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def to_rst(header: list[str], rows: list[list[str]]) -> str:
    """Table of a reStructuredText page."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in (header, *rows):
        lines += [("   * - " if i == 0 else "     - ") + cell for i, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def rounded(value, digits: int = 4):
    """Nested lists and dicts with rounded floats."""
    if isinstance(value, dict):
        return {key: rounded(part, digits) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part, digits) for part in value]
    return round(float(value), digits) if isinstance(value, float | np.floating) else value
