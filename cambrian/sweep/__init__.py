"""Sweeps: from the command line to a plan of unique stages, and from the plan to a filled store."""
