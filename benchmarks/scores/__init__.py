"""Benchmarks of scores: what answers are worth."""
