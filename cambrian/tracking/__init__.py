"""Where a stage's numbers go while it runs: a JSONL file always, Weights & Biases when asked for.

Records are best effort: the store's manifest is the result, so a full disk or a broken W&B costs a warning
and the rest of that record, never the stage.
"""
