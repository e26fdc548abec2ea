"""Reading what lmms-eval leaves: DATE_samples_TASK.jsonl, and DATE_results.json with its own scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.data.rows import index_rows, parse_json
from cambrian.errors import DataError, UserError

_MARK = "_samples_"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One answered document."""

    document: int
    """Its number in the task's split."""
    prompt: str
    target: str
    raw: str
    """What the model said, before any filter."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a results file says of one task."""

    scores: Mapping[str, float]
    """lmms-eval's own numbers, by the names that it gives them."""
    documents: int
    """How many it has answered; 0 if it does not say."""


def task_of(path: Path) -> str:
    """Tell the task from the name of a file of samples.

    Raises:
        UserError: if it has not the name that lmms-eval gives.
    """
    if _MARK not in path.name or path.suffix != ".jsonl":
        raise UserError(f"{path} is not called DATE{_MARK}TASK.jsonl, as lmms-eval calls its samples")
    return path.name.rpartition(_MARK)[2].removesuffix(".jsonl")


def read_samples(path: Path) -> list[Sample]:
    """Read the answers of a task.

    Raises:
        DataError: if the file is not there, or any line is no sample; all such are listed.
    """
    rows = index_rows(path)
    samples, reasons = [], {}
    for number in range(len(rows)):
        try:
            samples.append(_sample(parse_json(rows.read(number))))
        except ValueError as fault:
            reasons[number] = str(fault)
    if reasons:
        listed = zip(rows.lines(list(reasons)), reasons.values(), strict=True)
        raise DataError(
            "\n".join([f"{path} has lines that are no samples:", *(f"  line {n}: {r}" for n, r in listed)])
        )
    return samples


def read_reports(paths: Sequence[Path]) -> dict[str, Report]:
    """Read results files, by task.

    Raises:
        DataError: if one is not what lmms-eval writes.
    """
    reports: dict[str, Report] = {}
    for path in paths:
        try:
            content = parse_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        results = content.get("results") if isinstance(content, dict) else None
        if not isinstance(results, dict) or not all(isinstance(one, dict) for one in results.values()):
            raise DataError(f"{path} has no 'results' by task; is it a results file of lmms-eval?")
        counts = content.get("n-samples")
        for task, numbers in results.items():
            count = counts.get(task) if isinstance(counts, dict) else None
            effective = count.get("effective") if isinstance(count, dict) else None
            documents = effective if isinstance(effective, int) else 0
            reports[task] = Report(scores=_finite(numbers), documents=documents)
    return reports


def _finite(numbers: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among the values of a task; their standard errors and names aside."""
    return {
        name.removesuffix(",none"): float(value)
        for name, value in numbers.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        if math.isfinite(value) and "_stderr" not in name and name != "samples"
    }


def _sample(row: object) -> Sample:
    if not isinstance(row, dict):
        raise ValueError("not an object")
    document = row.get("doc_id")
    if isinstance(document, bool) or not isinstance(document, int):
        raise ValueError(f"'doc_id' must be a whole number, got {document!r}")
    # `resps` is left out where no filter has changed anything.
    raw = row.get("resps", row.get("filtered_resps"))
    while isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]
    if not isinstance(raw, str):
        shown = json.dumps(raw)[:60]
        raise ValueError(f"not one answer in words but {shown}: log-likelihoods and repeats are not read")
    prompt, target = row.get("input", ""), row.get("target", "")
    return Sample(document=document, prompt=_text(prompt), target=_text(target), raw=raw)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
