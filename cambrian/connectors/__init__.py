"""Connectors: feature grids of one or more encoders in, visual tokens for the LLM out."""
