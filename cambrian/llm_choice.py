"""Reading the choice of an LLM: one of conf/llm at a scale, or with llm=hf any in Hugging Face's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.data.templates import TEMPLATES
from cambrian.errors import UserError
from cambrian.hub import SIZES, find_directory, llm_sizes, read_config
from cambrian.local_weights import fingerprint
from cambrian.recipe import Language
from cambrian.schema import read
from cambrian.sections import Sections
from cambrian.sweep.shapes import read_llm

if TYPE_CHECKING:
    from cambrian.config import Notes

_EXAMPLE = "llm=hf llm.model=DIRECTORY_OR_ID llm.template=chatml"
_SIZES_EXAMPLE = (
    "llm.architecture={layers: 24, hidden: 896, intermediate: 4864, heads: 14, key_value_heads: 2, "
    "vocabulary: 151936, positions: 32768}"
)


def read_language(notes: Notes, node: Mapping[str, Any], at: Sections, real: bool) -> Language | None:
    """Read what a choice says for the scale of `at`; a `real` one has pretrained models, the lab its own."""
    section = at.find(node)
    if section is None and not (real and "model" in node):
        notes.missing.append(f"llm '{node['name']}' does not exist at scale={at.scale}")
        return None
    values = {"name": node["name"], **(section or {})}
    if not real:
        return read(Language, values, "llm", notes.faults)
    try:
        values = _any_model(node) if "model" in node else values
        return read(Language, _found(values), "llm", notes.faults)
    except UserError as error:
        notes.faults.append(f"llm={node['name']}: {error}")
        return None


def directories_of(llms: Iterable[Language]) -> dict[str, str]:
    """Where the local ones among `llms` are, by their content."""
    return {llm.content: llm.directory for llm in llms if llm.content}


def _any_model(node: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the choice of a model by its name alone leaves open.

    Raises:
        UserError: if model or template are missing, or the model's sizes cannot be known.
    """
    model, revision = node["model"], node["revision"]
    if not isinstance(model, str) or not isinstance(node["template"], str):
        raise UserError(
            f"it needs a model and its template, such as {_EXAMPLE}; "
            f"templates: {', '.join(sorted(TEMPLATES))}"
        )
    directory = find_directory(model)
    return {
        "name": model if directory is None else directory.name,
        "model": model,
        "revision": revision,
        "template": node["template"],
        "architecture": _sizes(model, revision, node["architecture"]),
        "mixture": {},
        "optimization": {},
    }


def _found(values: Mapping[str, Any]) -> dict[str, Any]:
    """Name a model that is a directory by its content.

    Raises:
        UserError: if there is neither such a directory nor could it be an id of the hub.
    """
    directory = find_directory(str(values["model"]))
    if directory is None:
        return dict(values)
    place = {"model": directory.name, "revision": "", "directory": str(directory)}
    return {**values, **place, "content": _content(directory)}


def _sizes(model: str, revision: str, given: object) -> dict[str, Any]:
    """Give the sizes of an LLM from its config.json, or as `given` where that is not on this machine.

    Raises:
        UserError: saying what is missing and where to get it.
    """
    config = read_config(model, revision)
    if config is not None:
        return llm_sizes(config)
    if not isinstance(given, Mapping) or not {*SIZES} <= {*given}:
        raise UserError(
            f"{model} (revision {revision}) is not in Hugging Face's cache, and a plan needs its sizes: "
            f"fetch them with 'hf download {model} config.json', or write all of {_SIZES_EXAMPLE}"
        )
    read_llm(given)
    return dict(given)


@lru_cache(maxsize=64)
def _content(directory: Path) -> str:
    """What one command sees of a directory; the stage that reads it sees to it that it is still the same."""
    return fingerprint(directory)
