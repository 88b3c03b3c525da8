"""Measurements of llamanb beside its peers: ``python -m tests.benchmarks --help``."""
