"""`python -m cambrian.data.mixture NAME`: the counts of a mixture of the study, and a picture of them.

NAME is a choice of conf/instruct or conf/adapter, such as 7m. With --data DIR the counts are those of the
files that are there, else those of the catalog.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console

from cambrian.config import Notes
from cambrian.data.catalog import CATEGORIES, find_sources, read_catalog
from cambrian.data.mixture_table import mixture_table
from cambrian.data_choice import read_data
from cambrian.errors import ConfigError, UserError, leaving_on_user_error, unknown_name
from cambrian.recipe import Data
from cambrian.runtime import PROJECT
from cambrian.sections import Sections

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = ("instruct", "adapter")
SCALE = Sections(scale="paper", like=None, part=1.0)
COLORS = ("#6E6E6E", "#0072B2", "#D55E00", "#008A63", "#AA4499", "#56B4E9", "#E69F00")
"""Of categories, in their order; after Okabe and Ito, and Tol."""
PICTURES = (".svg", ".png", ".pdf")


def read_mixture(name: str, place: Path | None, tolerated: float = 1.0) -> Data:
    """Count the rows of the mixture `name`.

    Raises:
        UserError: if there is no such choice, it is no mixture, or it cannot be mixed.
    """
    files = {path.stem: path for axis in AXES for path in (PROJECT / "conf" / axis).glob("*.yaml")}
    nodes = {stem: yaml.safe_load(path.read_text()) for stem, path in files.items()}
    known = {stem: whole for stem, node in nodes.items() if "mixture" in (whole := _as_mixture(node))}
    if name not in known:
        raise UserError(unknown_name("mixture", name, known))
    notes = Notes()
    axis = files[name].parent.name
    data = read_data(notes, known[name], SCALE, axis, True, place, tolerated, False)
    if data is None:
        raise ConfigError(notes.faults or notes.missing)
    if not data.counts:
        raise UserError(f"'{name}' is one file here, {data.file}: nothing is mixed")
    return data


def _as_mixture(node: dict[str, Any]) -> dict[str, Any]:
    """Take a data set of the study that is one source of the catalog for a mixture of this one."""
    source = node.get("source")
    if "mixture" not in node and isinstance(source, dict) and source["paper"] in read_catalog():
        return {**node, "mixture": {"sources": [source["paper"]]}}
    return node


def draw_mixture(data: Data, out: Path) -> None:
    """Draw the cumulative counts (after the paper's Figure 10) and two rings of categories (Figure 9).

    Raises:
        UserError: if the ending of `out` is no format of pictures.
    """
    if out.suffix not in PICTURES:
        raise UserError(f"--picture takes a file that ends with {', '.join(PICTURES)}, got {out}")
    import matplotlib.style
    from matplotlib.figure import Figure

    catalog = read_catalog()
    everything = {name: catalog[name].rows for name in find_sources("all")}
    with matplotlib.style.context(["default", {"svg.hashsalt": "mixture", "font.size": 8}]):
        figure = Figure(figsize=(9, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for label, counts in (("Cambrian-10M", everything), (data.name, data.counts)):
            _draw_sums(left, label, counts)
        left.set_xlabel("sources, from the smallest")
        left.set_ylabel("rows of all up to it, in thousands")
        left.set_ylim(bottom=0)
        left.legend(frameon=False)
        _draw_rings(right, everything, data)
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def _draw_sums(axes: Axes, label: str, counts: Mapping[str, int]) -> None:
    sums = [0, *accumulate(sorted(count for count in counts.values() if count))]
    axes.plot(
        range(len(sums)), [number / 1000 for number in sums], label=f"{label}: {sums[-1]:,}", marker="."
    )


def _draw_rings(axes: Axes, everything: Mapping[str, int], data: Data) -> None:
    inner, outer = _by_category(everything), _by_category(data.counts)
    names = [
        name
        for name in (*CATEGORIES, *sorted(set(outer) - set(CATEGORIES)))
        if inner.get(name, 0) + outer.get(name, 0)
    ]
    colors = [COLORS[index % len(COLORS)] for index, _ in enumerate(names)]
    edges: dict[str, Any] = {"width": 0.28, "edgecolor": "white"}
    rings = ((inner, 0.7), (outer, 1.0))
    for counts, radius in rings:
        values = [counts.get(name, 0) for name in names]
        axes.pie(values, radius=radius, colors=colors, startangle=90, counterclock=False, wedgeprops=edges)
    shares = [f"{name} {_percent(inner, name)} / {_percent(outer, name)}" for name in names]
    axes.legend(shares, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title(f"inner: Cambrian-10M, outer: {data.name}")


def _by_category(counts: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in counts.items():
        category = read_catalog()[name].category
        found[category] = found.get(category, 0) + count
    return found


def _percent(counts: Mapping[str, int], name: str) -> str:
    return f"{100 * counts.get(name, 0) / max(1, sum(counts.values())):.1f}%"


def main() -> None:
    """Print one mixture, and draw it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.data.mixture", description=__doc__)
    parser.add_argument("name", help="a choice of conf/instruct or conf/adapter, such as 7m")
    parser.add_argument(
        "--data", type=Path, help="directory with the sources; else the catalog's sizes count"
    )
    parser.add_argument("--picture", type=Path, help="draw the counts into this .svg, .png or .pdf")
    given = parser.parse_args()
    with leaving_on_user_error():
        data = read_mixture(given.name, given.data and given.data.resolve())
        Console(highlight=False).print(mixture_table([data], by_source=True))
        if given.picture:
            draw_mixture(data, given.picture)
            print(f"drawn: {given.picture}")


if __name__ == "__main__":
    main()
