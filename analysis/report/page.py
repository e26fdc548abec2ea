"""The report as one HTML page: templates filled in, scripts and data inside, nothing to fetch."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.report.content import Content
from analysis.style import LOOKS
from cambrian.sweep.rendering import duration, size

FOLDER = Path(__file__).resolve().parent / "templates"
SCRIPTS = ("base.js", "figure_choice.js", "figure.js", "figure_view.js", "table.js", "pairs.js", "main.js")
"""In the order in which they need each other; together they are one script."""
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
"""What could end a script element or begin another in JSON -> the same character, escaped."""


def render(content: Content) -> bytes:
    """Write the page. All text of models, data and machines is escaped; equal contents give equal bytes."""
    style = f"{_colours()}{(FOLDER / 'page.css').read_text(encoding='utf-8')}"
    body = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(function () {{\n"use strict";\n{body}\n}})();\n'
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "size": size}
    page = environment.get_template("page.html").render(
        content=content,
        policy=_policy(script, style),
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704 (our own files)
        data=Markup(embedded(content.data)),  # noqa: S704 (escaped for the element that it stands in)
    )
    # A lone surrogate of a broken text has no UTF-8 form.
    return page.encode("utf-8", "replace")


def embedded(data: Mapping[str, Any]) -> str:
    """Write `data` as JSON that can stand in a script element, whatever its texts contain.

    Raises:
        ValueError: for a number that is not finite.
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False).translate(ESCAPES)


def _policy(script: str, style: str) -> str:
    """Content-Security-Policy: this script, this style, pictures that are inside, and no network at all."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _colours() -> str:
    """The colours of supervision, as all figures have them, as names that the style uses."""
    return f":root {{ {' '.join(f'--{name}: {look.color};' for name, look in LOOKS.items())} }}\n"
