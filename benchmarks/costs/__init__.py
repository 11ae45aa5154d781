"""Benchmarks of costs: fits, encoders and services."""
