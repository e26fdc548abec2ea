"""How lmms-eval finds our model: the entry point `lmms_eval.models` names `manifest`."""

from __future__ import annotations

from typing import Any


def manifest() -> Any:  # noqa: ANN401 - a type of a package that is not ours
    """Name the model and its class, which is imported when it is chosen."""
    from lmms_eval.models.registry_v2 import ModelManifest  # pyright: ignore[reportMissingImports]

    return ModelManifest(
        model_id="cambrian_sweeps", simple_class_path="cambrian.interop.lmms_model.CambrianSweeps"
    )
