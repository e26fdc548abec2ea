"""What is wrong with the choice of an own encoder is said before anything runs."""

from __future__ import annotations

import pytest
from own_encoders import COMMIT, stage_of, study_of

from cambrian.config import read_study
from cambrian.errors import ConfigError
from cambrian.sweep.grid import check_overrides, expand

pytestmark = pytest.mark.usefixtures("caches", "in_this_process")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encoder.model=null"], "encoder.model must be a name of timm"),
        (["encoder.model=you/yours"], "got 'you/yours'"),
        (["encoder.model=./not-here"], "there is no "),
        (["encoder.model=hf-hub:you/yours"], "hub:you/yours at main is not on this machine"),
        (["encoder.model=test_vt"], "near it: test_vit"),
        (["encoder.model=test_vit", "encoder.layer=-9"], "has 6 layers, got layer -9"),
        (["encoder.model=test_vit", "encoder.checkpoint=/not/here"], "there is no /not/here"),
        (
            ["encoder.model=test_vit", "encoder.resolution=big"],
            "encoders.timm.resolution must be a whole number",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_faults_of_an_own_encoder_name_the_fix(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        study_of(*words)
    assert said in str(raised.value)


def test_a_revision_is_part_of_the_identity() -> None:
    main, _ = stage_of("encoder.model=test_vit.r160_in1k")
    fixed, _ = stage_of("encoder.model=test_vit.r160_in1k", f"encoder.revision={COMMIT}")
    assert main.recipe["objective"]["revision"] == "main"
    assert fixed.recipe["objective"]["revision"] == COMMIT and fixed.digest != main.digest
    with pytest.raises(ConfigError, match=r"encoder\.revision=v1 is for the hub"):
        study_of("encoder.model=vit_huge_patch14_gap_224.in1k_ijepa", "encoder.revision=v1")


def test_its_settings_alone_do_not_choose_it() -> None:
    assert check_overrides(["encoder.model=test_vit"]) == [
        "encoder.model is a setting of your own encoder: add encoder=timm"
    ]
    assert "did you mean 'model'" in check_overrides(["encoder=timm", "encoder.modle=test_vit"])[0]


def test_the_lab_has_no_own_encoders() -> None:
    with pytest.raises(ConfigError, match="encoder 'timm' does not exist at scale=lab"):
        read_study(expand(["encoder=timm", "encoder.model=test_vit"]))
