"""Benchmarks: ``python -m benchmarks accuracy``, ``speed`` or ``quickstart``."""
