"""A hash of the source that a module can reach, by which results of changed code are told apart."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""The directory of the `cambrian` package."""
TABLE_OF_KINDS = "cambrian.stages.base"
"""It names the function of every kind, so the names in it say nothing about what one stage reaches."""

_MODULE_NAME = re.compile(r"cambrian(\.\w+)+")


@cache
def source_fingerprint(start: str) -> str:
    """Hash of the source of module `start` and of all it can reach, without comments and docstrings.

    Reach is followed through imports of `cambrian` modules and through their names in strings, by which
    tables of rows refer to code. Another Python version may give another hash.
    """
    reached: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if name in reached or path is None:
            continue
        reached[name], names = digest_source(path, is_table=name == TABLE_OF_KINDS)
        waiting += names
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(reached.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _source_of(name: str) -> Path | None:
    """File of a module; None for names that are no module, such as those of functions."""
    first, *rest = name.split(".")
    if first != "cambrian":
        spec = importlib.util.find_spec(name)
        return Path(spec.origin) if spec is not None and spec.origin is not None else None
    base = PACKAGE.joinpath(*rest)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def digest_source(path: Path, *, is_table: bool) -> tuple[str, tuple[str, ...]]:
    """Hash of the normalised source, and the names of `cambrian` modules in it."""
    tree = ast.parse(path.read_bytes())
    names: set[str] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None) if isinstance(node, _WITH_DOCSTRING) else None
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            del body[0]
        names.update(_names_in(node, strings=not is_table))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted(names))


_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _names_in(node: ast.AST, *, strings: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("cambrian"))
    elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("cambrian"):
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif strings and isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = _MODULE_NAME.match(node.value)
        if found is not None:
            yield found.group()
