"""A file of reference vectors, and the record of what was compared with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

EXPECTED = ("out.", "mid.", "grad.", "gradparam.", "infer.", "train.")
"""Prefixes of recorded results, as opposed to inputs and weights."""

FLOOR = 1e-3
"""A gradient that is zero but for rounding is measured against this share of the file's largest gradient."""


class VectorsError(ValueError):
    """A vectors file that cannot be used as it is."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One recorded tensor against ours."""

    name: str
    error: float
    """Largest difference over the largest recorded value; infinite if shapes or flags differ."""
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; an error that is not a number is not."""
        return self.error <= self.tolerance


class Vectors:
    """The contents of a file, and what was found by comparing with it."""

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.config = config
        self.tensors = tensors
        self.findings: list[Finding] = []

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise VectorsError(f"the file has no tensor '{name}'")
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def setting(self, name: str) -> Any:  # noqa: ANN401 (any JSON value)
        """Give an entry of the recorded configuration.

        Raises:
            VectorsError: if it isn't there.
        """
        if name not in self.config:
            raise VectorsError(f"the file's configuration has no '{name}'")
        return self.config[name]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """Give the tensors whose names start with `prefix`, without it."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def sequence(self, prefix: str) -> list[Tensor]:
        """Give the tensors prefix0, prefix1, ... in order."""
        numbered = []
        while f"{prefix}{len(numbered)}" in self.tensors:
            numbered.append(self.tensors[f"{prefix}{len(numbered)}"])
        return numbered

    def compare(self, name: str, ours: Tensor, tolerance: float, floor: float = 0.0) -> None:
        """Compare a recorded tensor with ours, unless the file doesn't record it.

        `floor` is the least size that the error is measured against.
        """
        if name in self.tensors:
            error = relative_error(ours, self.tensors[name], floor)
            self.findings.append(Finding(name=name, error=error, tolerance=tolerance))

    def compare_gradients(self, prefix: str, ours: Mapping[str, Tensor | None], tolerance: float) -> None:
        """Compare the gradients recorded under `prefix`; `ours` maps names below it, None being zero."""
        recorded = self.below(prefix)
        largest = max((float(value.abs().max()) for value in recorded.values() if value.numel()), default=0.0)
        for name, expected in recorded.items():
            if name in ours:
                gradient = ours[name]
                value = torch.zeros_like(expected) if gradient is None else gradient
                self.compare(prefix + name, value, tolerance, floor=FLOOR * largest)

    def unchecked(self) -> list[str]:
        """Give the recorded results that nothing was compared with; empty tensors record nothing."""
        done = {finding.name for finding in self.findings}
        return sorted(
            name
            for name, tensor in self.tensors.items()
            if name.startswith(EXPECTED) and tensor.numel() and name not in done
        )


def read_vectors(path: Path) -> Vectors:
    """Read a file.

    Raises:
        VectorsError: if it is not a safetensors file with a configuration.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise VectorsError(f"not a readable safetensors file ({error})") from error
    try:
        config = json.loads(metadata["config"])
    except (KeyError, json.JSONDecodeError) as error:
        raise VectorsError("its metadata has no configuration in JSON under the key 'config'") from error
    if not isinstance(config, dict):
        raise VectorsError("its configuration is not a JSON object")
    return Vectors(config, tensors)


def relative_error(ours: Tensor, recorded: Tensor, floor: float = 0.0) -> float:
    """Largest difference over the largest recorded value, or over `floor` where that is larger."""
    if ours.shape != recorded.shape:
        return math.inf
    if not recorded.is_floating_point():
        return 0.0 if torch.equal(ours.to(recorded.dtype), recorded) else math.inf
    if not recorded.numel():
        return 0.0
    recorded = recorded.detach().double()
    difference = float((ours.detach().double() - recorded).abs().max())
    size = max(float(recorded.abs().max()), floor)
    if difference == 0.0:
        return 0.0
    return difference / size if size else math.inf
