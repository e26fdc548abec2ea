"""A small, complete version of the study: a procedural visual world, tiny encoders and a tiny LLM."""
