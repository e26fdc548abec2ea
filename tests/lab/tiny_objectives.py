"""Encoders and objectives of a size for tests."""

from __future__ import annotations

from typing import Any

VIT = {"kind": "vit", "resolution": 64, "width": 32, "depth": 1, "heads": 2, "expansion": 2, "stem": 16}
CONVNET = {
    "kind": "convnet",
    "resolution": 128,
    "width": 32,
    "depths": [1, 1],
    "kernel": 3,
    "expansion": 1,
}
PIXELS = {"kind": "pixels", "resolution": 64, "patch": 8}
SETTINGS: dict[str, dict[str, Any]] = {
    "siglip": {"kind": "siglip", "embedding": 32, "negatives": 2},
    "clip": {"kind": "clip", "embedding": 32, "negatives": 2},
    "dino": {
        "kind": "dino",
        "prototypes": 32,
        "momentum": 0.9,
        "masked": 0.35,
        "large": 48,
        "small": 32,
        "small_crops": 1,
        "points": 8,
        "teacher_temperature": 0.05,
        "student_temperature": 0.1,
        "jitter": 0.1,
    },
    "mae": {"kind": "mae", "masked": 0.75, "decoder_width": 32},
    "segmentation": {"kind": "segmentation", "squares": 2, "foreground_weight": 2.0},
}
