"""Studies of an encoder of one's own, for tests."""

from __future__ import annotations

from typing import Any

from cambrian.config import read_study
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import encoder_stage

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def study_of(*words: str) -> Any:
    return read_study(expand(["scale=paper", "encoder=timm", *words]))


def stage_of(*words: str) -> tuple[Stage, Runtime]:
    study = study_of(*words)
    return encoder_stage(study.recipes[0].encoders[0], {}), study.runtime
