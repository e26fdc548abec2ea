"""Benchmarks of the hub: their rows, where copies of them lie, and how a record becomes a question."""
