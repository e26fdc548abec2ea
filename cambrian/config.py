"""From composed configurations to a `Study`: typed, checked, and free of any config library.

The one place where configuration keys are read. Configurations of a grid share their parts, and each part is
read once: that is what makes thousands of points quick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cambrian.benchmarks.hub.places import contents_of
from cambrian.benchmarks.suite import known_names, select
from cambrian.checks import check_recipe
from cambrian.data_choice import files_of, read_data
from cambrian.encoder_choice import copies_of, read_encoder
from cambrian.errors import ConfigError, UserError, unknown_name
from cambrian.exclusion import read_exclusions
from cambrian.first_looks import read_halving, read_preflight, read_proxy
from cambrian.llm_choice import directories_of, read_language
from cambrian.recipe import Benchmarks, Encoder, Recipe, Scale
from cambrian.runtime import Hardware, Runtime
from cambrian.runtime_settings import read_data_place, read_hardware, read_runtime
from cambrian.schema import read, read_value
from cambrian.sections import Sections

UNAVAILABLE = ("refuse", "skip")

Node = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Study:
    """The runs of one command, and the points of its grid that are left out."""

    recipes: tuple[Recipe, ...]
    left_out: Mapping[str, int]
    """Reason -> number of points."""
    runtime: Runtime
    hardware: Hardware
    """What a plan at scale=paper is priced for."""
    plan: str
    """false, true, json, or the file name of a picture."""
    fidelity: str | None
    """Name of the reference to compare with."""
    preflight: str = "false"
    """auto, true or false."""
    halving: tuple[float, ...] = ()
    """Parts of the examples at which the runs are compared, ascending; empty to train all runs wholly."""

    @property
    def points(self) -> tuple[Recipe, ...]:
        """What may be trained: the recipes, at every rung if they are halved."""
        if not self.halving:
            return self.recipes
        return tuple(recipe.at(rung) for rung in self.halving for recipe in self.recipes)


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What is wrong with a configuration, as far as it was read."""

    faults: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Choices that the scale does not have."""

    def add(self, other: Notes) -> None:
        """Take over what was noted elsewhere."""
        self.faults.extend(other.faults)
        self.missing.extend(other.missing)


def read_study(configs: Sequence[Node], group: str = "run") -> Study:
    """Read and check composed configurations, given as plain containers.

    Raises:
        ConfigError: with every fault of every configuration, each named once.
    """
    reader, notes = _Reader(), Notes()
    left_out: Counter[str] = Counter()
    recipes = []
    for config in configs:
        own = Notes()
        recipe = reader.recipe(config, own)
        exclusions = reader.once(own, read_exclusions, config["exclude"])
        skip = reader.once(own, _read_skip, config["unavailable"])
        reason = own.missing[0] if own.missing and skip else None
        if recipe is not None:
            reason = next((rule.reason for rule in exclusions or () if rule.matches(recipe)), None)
        if reason is not None:
            left_out[reason] += 1
        elif recipe is not None:
            own.faults.extend(reader.check(recipe))
            recipes.append(recipe.at(read_proxy(config["proxy"], own.faults)))
        else:
            own.faults.extend(own.missing)
        notes.add(own)
    blocks = any(config["vision"]["blocks"] is not None for config in configs)
    if blocks and recipes and not any(recipe.vision == "unfrozen" for recipe in recipes):
        notes.faults.append("vision.blocks is for vision=unfrozen, and every run has vision=frozen")
    runtime = read_runtime(configs[0], group, notes.faults)
    hardware = read_hardware(configs[0], notes.faults)
    preflight = read_preflight(configs[0]["preflight"], notes.faults)
    halving = read_halving(configs[0]["halving"], recipes, notes.faults)
    if notes.faults or runtime is None or hardware is None:
        raise ConfigError(list(dict.fromkeys(notes.faults)))
    first = configs[0]
    return Study(
        recipes=tuple(recipes),
        left_out=left_out,
        runtime=replace(runtime, copies=_copies(recipes)),
        hardware=hardware,
        plan=str(first["plan"]).lower() if isinstance(first["plan"], bool) else first["plan"],
        fidelity=first["fidelity"],
        preflight=preflight,
        halving=halving,
    )


class _Reader:
    """Reads configurations one by one; what two of them share is read once."""

    def __init__(self) -> None:
        self._parts: dict[tuple[object, ...], tuple[Any, Notes]] = {}
        self._checked: dict[tuple[int, ...], list[str]] = {}

    def once(self, notes: Notes, read_part: Callable[..., T], node: object, *more: object) -> T:
        """Call `read_part(notes, node, *more)`, or remember what it gave for this very node."""
        key = (read_part, id(node), *more)
        if key not in self._parts:
            own = Notes()
            self._parts[key] = (read_part(own, node, *more), own)
        value, own = self._parts[key]
        if own.faults or own.missing:
            notes.add(own)
        return value

    def recipe(self, config: Node, notes: Notes) -> Recipe | None:
        """Read what determines the result of one run; None if anything is wrong or missing."""
        scale = self.once(notes, _read_scale, config["scale"])
        if scale is None:
            return None
        at = Sections(scale.name, scale.like, scale.part)
        download = config["runtime"]["download"]
        encoders = tuple(
            self.once(notes, _read_encoder, node, at, name, download)
            for name, node in config["encoders"].items()
        )
        grids = tuple(encoder.grid for encoder in encoders if encoder is not None)
        llm = self.once(notes, read_language, config["llm"], at, not scale.world)
        connector = self.once(notes, _read_connector, config["connector"], at, grids)
        # A directory that is not there is a fault of the runtime.
        place = read_data_place(config["data"], [])
        files = (not scale.world, place, config["data_faults"], download)
        adapter = self.once(notes, read_data, config["adapter"], at, "adapter", *files)
        instruct = self.once(notes, read_data, config["instruct"], at, "instruct", *files)
        benchmarks = self.once(notes, _read_benchmarks, config["benchmarks"], at, place)
        vision_lr = self.once(notes, _read_vision_lr, config["vision"], at)
        blocks = self.once(notes, _read_vision_blocks, config["vision"])
        seed = read_value(int, config["seed"], "seed", notes.faults)
        if notes.faults or notes.missing:
            return None
        assert llm and connector and adapter and instruct and benchmarks, "a part without value or note"
        return Recipe(
            encoders=tuple(encoder for encoder in encoders if encoder is not None),
            connector=config["connector"]["name"],
            connector_settings=connector,
            adapter=adapter,
            vision=config["vision"]["name"],
            vision_lr=vision_lr,
            vision_blocks=blocks,
            instruct=instruct,
            llm=llm,
            scale=scale,
            benchmarks=benchmarks,
            seed=seed,
        )

    def check(self, recipe: Recipe) -> list[str]:
        """Check a recipe; seeds alone make no difference."""
        parts = (*recipe.encoders, recipe.connector_settings, recipe.adapter, recipe.vision, recipe.vision_lr)
        parts = (*parts, recipe.vision_blocks)
        parts = (*parts, recipe.instruct, recipe.llm, recipe.scale, recipe.benchmarks)
        key = (recipe.seed < 0, *map(id, parts))
        if key not in self._checked:
            self._checked[key] = check_recipe(recipe)
        return self._checked[key]


def _section(notes: Notes, node: Node, at: Sections, what: str) -> Any | None:  # noqa: ANN401
    """Give what a choice says for one scale."""
    section = at.find(node)
    if section is None:
        notes.missing.append(f"{what} does not exist at scale={at.scale}")
    return section


def _read_scale(notes: Notes, node: Node) -> Scale | None:
    return read(Scale, node, "scale", notes.faults)


def _copies(recipes: Sequence[Recipe]) -> dict[str, str]:
    """Where the local models and data sets of all recipes are; their identity is what they hold."""
    encoders = copies_of(encoder for recipe in recipes for encoder in recipe.encoders)
    llms = directories_of(recipe.llm for recipe in recipes)
    return encoders | llms | files_of(data for recipe in recipes for data in recipe.data)


def _read_encoder(notes: Notes, node: Node, at: Sections, name: str, download: bool) -> Encoder | None:
    if "supervision" not in node:  # settings alone, such as those of an experiment
        notes.faults.append(
            f"encoders.{name} has settings, but encoder '{name}' is not chosen: choose it, or leave out what "
            "sets them (an experiment names its own encoders)"
        )
        return None
    section = _section(notes, node, at, f"encoder '{name}'")
    return None if section is None else read_encoder(name, node, section, download, notes.faults)


def _read_connector(notes: Notes, node: Node, at: Sections, grids: tuple[int, ...]) -> Node | None:
    section = _section(notes, node, at, f"connector '{node['name']}'")
    if section is None:
        return None
    settings = {"kind": node["kind"], **section}
    if settings.get("side", 0) is None and len(grids) == 1:
        settings["side"] = grids[0]
    return settings


def _read_benchmarks(notes: Notes, node: Node, at: Sections, place: Path | None) -> Benchmarks | None:
    section = _section(notes, node, at, f"benchmarks '{node['name']}'")
    if section is None:
        return None
    benchmarks = read(
        Benchmarks,
        {"name": node["name"], "answering": node["answering"], **section},
        "benchmarks",
        notes.faults,
    )
    if benchmarks is None or not {*benchmarks.include} <= {*known_names()}:
        return benchmarks  # names are checked with all else
    real = [row.id for row in select(benchmarks.include) if row.source == "hub"]
    try:
        return replace(benchmarks, contents=contents_of(real, place))
    except UserError as error:
        notes.faults.append(f"benchmarks: {error}")
        return None


def _read_vision_lr(notes: Notes, node: Node, at: Sections) -> float:
    rate = _section(notes, node["lr"], at, f"vision '{node['name']}'")
    return 0.0 if rate is None else read_value(float, rate, f"vision.lr.{at.base}", notes.faults)


def _read_vision_blocks(notes: Notes, node: Node) -> int | None:
    """Of a frozen encoder none trains: in a grid over both, the number is for the unfrozen one."""
    blocks = node["blocks"] if node["name"] == "unfrozen" else None
    return read_value(int | None, blocks, "vision.blocks", notes.faults)


def _read_skip(notes: Notes, given: str) -> bool:
    if given not in UNAVAILABLE:
        notes.faults.append(unknown_name("value of unavailable", given, UNAVAILABLE))
    return given == "skip"
