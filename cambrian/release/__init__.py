"""Models that leave the store, and models that come from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cambrian.model.mllm import MultimodalLLM


def load_model(directory: Path | str, device: str = "cpu") -> MultimodalLLM:
    """Read what `python -m cambrian.release save` or `import` wrote, in evaluation mode, onto `device`.

    On the CPU all weights are float32; on CUDA those of the LLM have the type they have in the files.

    Raises:
        UserError: if `directory` holds no such model, or not all of it.
    """
    from cambrian.release.directory import load_model as load  # late: the command's --help needs no torch

    return load(directory, device)
