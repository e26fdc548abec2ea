"""Where runs depart from a named reference: the paper, the authors' released scripts, or LLaVA-1.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from cambrian.errors import UserError, unknown_name
from cambrian.recipe import Recipe

WIDTH = 110


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a reference says of runs with some design choices; of several about one key the last counts."""

    values: Mapping[str, Any]
    """Dotted name of a setting, as `settings_of` gives it -> value."""
    source: str
    axes: Mapping[str, tuple[str, ...]]
    """Axis -> choices that it speaks of; empty for every run."""

    def concerns(self, recipe: Recipe) -> bool:
        """Whether it says anything of `recipe`."""
        return all(str(recipe.axes[axis]) in choices for axis, choices in self.axes.items())


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One setting that differs."""

    key: str
    here: object
    there: object
    source: str


def _says(source: str, values: Mapping[str, Any], **axes: tuple[str, ...]) -> Expectation:
    return Expectation(values=values, source=source, axes=axes)


_STUDY = {
    "scale": "paper",
    "align.batch_size": 512,
    "align.weight_decay": 0.0,
    "tune.batch_size": 512,
    "tune.weight_decay": 0.0,
    "tune.lr.connector": 2e-5,
    "tune.lr.llm": 2e-5,
}
_TABLE = "paper, implementation details"
_SCRIPTS = "scripts/cambrian/*.sh"
_FINAL = ("7m",)
_HF = "defaults of the Hugging Face trainer"
_HF_OPTIMIZER = {
    f"{stage}.{key}": value
    for stage in ("align", "tune")
    for key, value in (("betas", (0.9, 0.999)), ("clip", 1.0))
}

REFERENCES: dict[str, tuple[Expectation, ...]] = {
    "paper": (
        _says(_TABLE, {**_STUDY, "llm": "vicuna_7b", "align.lr.connector": 1e-3}),
        _says(_TABLE, {"vision.lr": 1e-5, "vision.blocks": "all"}, vision=("unfrozen",)),
        _says(
            _TABLE, {"align.lr.connector": 1e-4, "align.lr.sva": 1e-4}, instruct=_FINAL, connector=("sva",)
        ),
        _says(_TABLE, {"llm": "llama3_8b"}, instruct=_FINAL, llm=("llama3_8b",)),
        _says(_TABLE, {"llm": "vicuna_13b"}, instruct=_FINAL, llm=("vicuna_13b",)),
        _says(_TABLE, {"llm": "yi_34b", "tune.batch_size": 1024}, instruct=_FINAL, llm=("yi_34b",)),
    ),
    "released": (
        _says(_SCRIPTS, {**_STUDY, "align.lr.connector": 1e-3, "align.lr.sva": 1e-4, "tune.lr.sva": 4e-5}),
        _says(_SCRIPTS, {"align.warmup_fraction": 0.06, "tune.warmup_fraction": 0.03}),
        _says(_SCRIPTS, {"tune.lr.connector": 4e-5, "tune.lr.llm": 4e-5, "vision": "frozen"}),
        _says(_SCRIPTS, {"adapter.source": "cambrian_alignment_2.5m", "instruct.source": "cambrian_7m"}),
        _says(_SCRIPTS, {"encoders": "siglip+clip+dinov2+convnext", "connector": "sva"}),
        _says(
            _SCRIPTS,
            {"tune.lr.connector": 2e-5, "tune.lr.llm": 2e-5, "tune.lr.sva": 2e-5},
            llm=("yi_34b",),
        ),
        _says("released README", {"tune.batch_size": 1024}, llm=("yi_34b",)),
        _says(_HF, _HF_OPTIMIZER),
    ),
    "llava_1.5": (
        _says(
            "LLaVA-1.5 (Liu et al., 2023), appendix",
            {
                **_STUDY,
                "llm": "vicuna_7b",
                "encoders": "clip",
                "connector": "concat",
                "connector.layers": 2,
                "connector.newline": False,
                "vision": "frozen",
                "adapter.source": "llava_558k",
                "instruct.source": "llava_665k",
                "align.lr.connector": 1e-3,
                "align.batch_size": 256,
                "align.warmup_fraction": 0.03,
                "tune.batch_size": 128,
                "tune.warmup_fraction": 0.03,
            },
        ),
        _says("LLaVA-1.5 (Liu et al., 2023)", {"llm": "vicuna_13b"}, llm=("vicuna_13b",)),
        _says(_HF, _HF_OPTIMIZER),
    ),
}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """List all settings of a run by dotted names; those of a stage that it does not have are absent."""
    settings: dict[str, Any] = {
        "scale": recipe.scale.name,
        "llm": recipe.llm.name,
        "encoders": "+".join(encoder.name for encoder in recipe.encoders),
        "connector": recipe.connector,
        **{f"connector.{key}": value for key, value in recipe.connector_settings.items()},
        "vision": recipe.vision,
        "instruct.source": recipe.instruct.source,
        **_flat("tune", asdict(recipe.scale.tune)),
    }
    if recipe.vision == "unfrozen":
        settings["vision.lr"] = recipe.vision_lr
        settings["vision.blocks"] = recipe.vision_blocks or "all"
    if recipe.adapter.examples:
        settings |= {"adapter.source": recipe.adapter.source, **_flat("align", asdict(recipe.scale.align))}
    if not str(recipe.connector_settings["kind"]).startswith("sva"):
        settings = {key: value for key, value in settings.items() if not key.endswith(".lr.sva")}
    return settings


def deviations(recipe: Recipe, reference: str) -> list[Deviation]:
    """List the settings in which a run departs from what a reference says about runs like it.

    Raises:
        UserError: for an unknown reference.
    """
    if reference not in REFERENCES:
        raise UserError(unknown_name("reference", reference, REFERENCES))
    settings = settings_of(recipe)
    expected: dict[str, tuple[Any, str]] = {}
    for expectation in REFERENCES[reference]:
        if expectation.concerns(recipe):
            expected |= {key: (value, expectation.source) for key, value in expectation.values.items()}
    return [
        Deviation(key=key, here=settings[key], there=value, source=source)
        for key, (value, source) in expected.items()
        if key in settings and settings[key] != value
    ]


def print_fidelity(recipes: Sequence[Recipe], reference: str) -> None:
    """Print the deviations of each run from a reference; runs with the same ones share a table.

    Raises:
        UserError: for an unknown reference.
    """
    groups: dict[tuple[str, ...], tuple[list[str], list[Deviation]]] = {}
    for recipe in recipes:
        found = deviations(recipe, reference)
        key = tuple(f"{one.key}={one.here!r}" for one in found)
        groups.setdefault(key, ([], found))[0].append(recipe.name)
    console = Console(width=WIDTH, highlight=False)
    for names, found in groups.values():
        console.print(", ".join(dict.fromkeys(names)))
        if not found:
            console.print(f"  as {reference} says, in every setting that it prints\n")
            continue
        table = Table("setting", "here", reference, "source")
        for one in found:
            table.add_row(one.key, str(one.here), str(one.there), one.source)
        console.print(table)


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(f"{prefix}.{key}", value) if isinstance(value, Mapping) else {f"{prefix}.{key}": value}
    return flat
