"""Benchmark of other packages beside this one."""
