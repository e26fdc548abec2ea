"""Every file in sweeps/ is one that Weights & Biases takes, too."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from omegaconf import OmegaConf

from cambrian.sweep.composition import axes
from cambrian.sweep.grid import SWEEPS

FILES = sorted(SWEEPS.glob("*.yaml"))
SINGLE = {"type": ["string", "number", "boolean"]}
"""The agent writes values into the command line, where lists and null would mean something else."""
RULES = {
    "type": "object",
    "properties": {
        "program": {"const": "run.py"},
        "project": {"const": "cambrian-sweeps"},
        "name": {"type": "string"},
        "description": {"type": "string"},
        "method": {"const": "grid"},
        "metric": {"const": {"name": "average", "goal": "maximize"}},
        "command": {"const": ["${env}", "python", "${program}", "${args_no_hyphens}"]},
        "parameters": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_.-]*$"},
            "additionalProperties": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"values": {"type": "array", "minItems": 1, "items": SINGLE}},
                        "required": ["values"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"value": SINGLE},
                        "required": ["value"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
    },
    "required": ["program", "project", "name", "method", "metric", "command", "parameters"],
    "additionalProperties": False,
}
"""What our files use of W&B's schema for sweeps; that one refuses keys it does not know, too."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sweep_file_follows_the_rules(path: Path) -> None:
    sweep = yaml.safe_load(path.read_text())
    jsonschema.validate(sweep, RULES)
    assert sweep["name"] == path.stem
    assert set(sweep["parameters"]) & {*axes(), "seed"}, "it varies no axis"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_agent_and_the_command_line_read_the_same_values(path: Path) -> None:
    """PyYAML, which W&B uses, takes 1e-5 for a text."""
    assert OmegaConf.to_container(OmegaConf.load(path), resolve=False) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sweep_file_passes_the_schema_of_wandb_itself(path: Path) -> None:
    """The schema is in the package `sweeps`, which wants an old numpy: `uv pip install --no-deps sweeps`."""
    try:
        package = importlib.metadata.distribution("sweeps")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package 'sweeps' is not installed")
    schema = json.loads(Path(str(package.locate_file("sweeps/config/schema.json"))).read_text())
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        {"hydra": {}},
        {"method": "bayes"},
        {"metric": {"name": "loss", "goal": "minimize"}},
        {"parameters": {}},
        {"parameters": {"encoder": {"values": []}}},
        {"parameters": {"encoder": {"values": [["siglip", "dinov2"]]}}},
        {"parameters": {"encoder": {"value": "siglip", "values": ["siglip"]}}},
    ],
    ids=str,
)
def test_the_rules_refuse(change: dict[str, object]) -> None:
    sweep = yaml.safe_load((SWEEPS / "fig6.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sweep | change, RULES)
