"""Folders that the benchmarks read and write."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "benchmarks" / ".cache"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ROOT / "docs" / "_generated"
