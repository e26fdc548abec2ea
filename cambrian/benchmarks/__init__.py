"""Benchmarks: questions, answer matching, metrics and baselines."""
