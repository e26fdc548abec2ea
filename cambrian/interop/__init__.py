"""Other evaluators' models and results: lmms-eval runs ours, and its results come into our store."""
