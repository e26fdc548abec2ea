"""Figures and tables from a store of results and from the published numbers; no model code, no torch."""
