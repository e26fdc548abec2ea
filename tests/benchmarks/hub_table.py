"""What tiny data sets of the hub's form are made of: pictures, tables, a repository with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import yaml
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow

TEXT, WHOLE, FLOAT, FLAG, PICTURE = Value("string"), Value("int64"), Value("float64"), Value("bool"), Image()


def png(number: int, size: tuple[int, int] = (12, 8)) -> bytes:
    """A picture of one colour, its own for each number."""
    file = BytesIO()
    Pillow.new("RGB", size, (number * 37 % 256, number * 91 % 256, number % 256)).save(file, format="png")
    return file.getvalue()


def shown(number: int) -> dict[str, Any]:
    """A picture as a table holds it."""
    return {"bytes": png(number), "path": f"{number}.png"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """One configuration of a data set."""

    features: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    config: str = "default"


def write_repository(folder: Path, tables: Sequence[Table], split: str) -> None:
    """Write a data set as its repository on the hub has it: a card, and a Parquet file per configuration."""
    configs = []
    for table in tables:
        path = f"{table.config}/{split}-00000-of-00001.parquet"
        (folder / table.config).mkdir(parents=True)
        dataset = Dataset.from_list([dict(row) for row in table.rows], features=Features(table.features))
        datasets.disable_progress_bars()
        dataset.to_parquet(folder / path)
        files = [{"split": split, "path": f"{table.config}/{split}-*"}]
        configs.append({"config_name": table.config, "data_files": files})
    head = yaml.safe_dump({"license": "mit", "configs": configs})
    (folder / "README.md").write_text(f"---\n{head}---\n# A data set\n")
