"""Benchmark of every method at every number of pairs."""
