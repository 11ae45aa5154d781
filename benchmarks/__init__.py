"""Benchmarks: ``python -m benchmarks --help`` names them."""
