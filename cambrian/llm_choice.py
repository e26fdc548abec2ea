"""Reading the choice of an LLM: one of conf/llm at a scale, or with llm=hf any in Hugging Face's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.data.templates import TEMPLATES
from cambrian.errors import UserError
from cambrian.hub import SIZES, checksums, content_digest, find_directory, llm_sizes, read_config
from cambrian.recipe import Language, Recipe
from cambrian.runtime import Runtime
from cambrian.schema import read
from cambrian.sweep.shapes import read_llm

if TYPE_CHECKING:
    from cambrian.config import Notes

_EXAMPLE = "llm=hf llm.model=DIRECTORY_OR_ID llm.template=chatml"
_SIZES_EXAMPLE = (
    "llm.architecture={layers: 24, hidden: 896, intermediate: 4864, heads: 14, key_value_heads: 2, "
    "vocabulary: 151936, positions: 32768}"
)


def read_language(notes: Notes, node: Mapping[str, Any], at: str, real: bool) -> Language | None:
    """Read what a choice says for the scale `at`; a `real` scale has models of the hub, the lab its own."""
    if real and "model" in node:
        return _read_any(notes, node)
    if at not in node:
        notes.missing.append(f"llm '{node['name']}' does not exist at scale={at}")
        return None
    return read(Language, {"name": node["name"], **node[at]}, "llm", notes.faults)


def with_sources(runtime: Runtime, recipes: Sequence[Recipe]) -> Runtime:
    """Tell `runtime` where the local LLMs of `recipes` are; their identity is what they hold."""
    llms = [recipe.llm for recipe in recipes if recipe.llm.content]
    return replace(runtime, sources={llm.content: llm.directory for llm in llms})


def _read_any(notes: Notes, node: Mapping[str, Any]) -> Language | None:
    model, revision, template = node["model"], node["revision"], node["template"]
    if not isinstance(model, str) or not isinstance(template, str):
        notes.faults.append(
            f"llm={node['name']} needs a model and its template, such as {_EXAMPLE}; "
            f"templates: {', '.join(sorted(TEMPLATES))}"
        )
        return None
    try:
        directory = find_directory(model)
        sizes = _sizes(model, revision, node["architecture"])
    except UserError as error:
        notes.faults.append(f"llm.model={model}: {error}")
        return None
    values = {
        "name": model if directory is None else directory.name,
        "model": model if directory is None else directory.name,
        "revision": revision if directory is None else "",
        "content": "" if directory is None else _content(directory),
        "directory": "" if directory is None else str(directory),
        "template": template,
        "architecture": sizes,
        "mixture": {},
        "optimization": {},
    }
    return read(Language, values, "llm", notes.faults)


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
            f"revision {revision} is not in Hugging Face's cache, and planning needs its sizes: fetch them "
            f"with 'hf download {model} config.json', or write all of {_SIZES_EXAMPLE}"
        )
    read_llm(given)
    return dict(given)


@lru_cache(maxsize=64)
def _content(directory: Path) -> str:
    """What one command sees of a directory; the stage that reads it sees to it that it is still the same."""
    return content_digest(checksums(directory))
