"""The stages of a run: what is done, given its recipe and the artifacts of the stages before it."""
