"""Real encoders for tests, with fresh weights or those of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cambrian.encoders.table import build_encoder
from cambrian.encoders.trunk import TrunkEncoder

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def build(**architecture: Any) -> TrunkEncoder:
    encoder = build_encoder(architecture).eval()
    assert isinstance(encoder, TrunkEncoder)
    return encoder


def adopt(source: Path, **architecture: Any) -> TrunkEncoder:
    encoder = build(**architecture)
    encoder.adopt(source)
    return encoder
