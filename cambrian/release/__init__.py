"""Models that leave the store, and models that come from elsewhere.

`load_model(DIRECTORY)` reads what `python -m cambrian.release save` and `import` write.
"""

from cambrian.release.directory import load_model

__all__ = ["load_model"]
