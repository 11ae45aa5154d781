"""Benchmark of trained maps beside closed forms."""
