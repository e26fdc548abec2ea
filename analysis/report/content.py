"""All that a report says, gathered from a store: plain values for the page and for its scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.command import AGAIN, MOST
from analysis.missing import cells_of_models, command_lines, lacking
from analysis.published import CATEGORIES
from analysis.report.comparison import compare_all, packed
from analysis.report.costs import Costs, read_costs
from analysis.report.entries import Entries, read_entries
from analysis.report.figure import figure_data, rounded
from analysis.report.findings import Findings, read_findings
from analysis.report.pictures import BYTES, read_pictures
from analysis.report.provenance import Provenance, read_provenance
from analysis.report.sample import Answers, Sample, read_sample, room_for
from analysis.report.scores import run_rows, score_columns
from analysis.results import Results
from analysis.text import cut_short
from analysis.units import Credits, Problem, read_units
from cambrian.errors import UserError

LONGEST_TEXT = 600
"""Characters of a prompt or an answer; what is cut off is counted."""
SAMPLE_CHARACTERS = 900_000
"""Room for the questions and answers of all samples, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Evaluations that other models of the same scale have and this one lacks."""

    label: str
    benchmarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Content:
    """One report."""

    data: Mapping[str, Any]
    """Plain JSON values for the scripts: runs, figure, scores, comparisons, samples, pictures."""
    scales: tuple[str, ...]
    models: int
    benchmarks: int
    answers: int
    """Questions that were asked of all models together, each with and without the image."""
    notes: tuple[str, ...]
    """What a reader of the numbers has to know, a sentence each."""
    gaps: tuple[Gap, ...]
    fill: tuple[str, ...]
    """Commands that fill all gaps; what is there is reused."""
    findings: Findings
    costs: Costs
    provenance: Provenance


def gather(store: Path, results: Results, frame: pd.DataFrame, *, command: str, data: Path | None) -> Content:
    """Gather the report of the results in `frame` (of `results`, read from `store`).

    Args:
        store: directory of finished stages.
        results: all of them; it says what could not be read.
        frame: those that are shown.
        command: makes the report again.
        data: folder of data sets, for pictures of the hub's benchmarks.
    """
    entries = read_entries(store)
    runs = run_rows(frame)
    places = {row["digest"]: place for place, row in enumerate(runs)}
    units = read_units(store, frame)
    figure, notes = figure_data(frame, units.credits)
    gaps = _gaps(frame)
    looks = _looks(units.credits, frame, entries, data)
    reasons = sorted(set(looks.lacking.values()))
    room = SAMPLE_CHARACTERS // max(len(looks.samples), 1)
    return Content(
        data={
            "runs": runs,
            "figure": figure,
            "scores": score_columns(frame, places),
            "comparisons": [packed(one, places) for one in compare_all(units.credits)],
            "samples": [_sample_data(each, places, room) for each in looks.samples],
            "pictures": looks.pictures,
            "reasons": reasons,
            "lacking": {name: reasons.index(why) for name, why in looks.lacking.items()},
        },
        scales=tuple(sorted(set(frame["scale"]))),
        models=len(runs),
        benchmarks=frame["benchmark"].nunique(),
        answers=int(frame["n"].sum()),
        notes=(*_notes(store, results, units.problems, looks.problems, entries), *notes),
        gaps=tuple(
            Gap(label=row["label"], benchmarks=gaps[row["digest"]]) for row in runs if row["digest"] in gaps
        ),
        fill=tuple(command_lines(cells_of_models(frame, gaps))),
        findings=read_findings(frame, units.credits),
        costs=read_costs(entries, store),
        provenance=read_provenance(entries, command),
    )


def _notes(
    store: Path,
    results: Results,
    without_credits: Sequence[Problem],
    not_shown: Sequence[str],
    entries: Entries,
) -> tuple[str, ...]:
    """What could not be read or is not shown; places below the store without what is above it."""
    unread = cut_short([*results.problems, *entries.problems], MOST)
    notes = [f"could not be read: {problem}" for problem in unread]
    if results.superseded:
        notes.append(f"left out for newer evaluations of the same model: {results.superseded}")
    notes += [f"asked and not scored: {name}: {why}" for name, why in results.unscored.items()]
    unlike = [*cut_short([str(problem) for problem in without_credits], MOST), *not_shown]
    notes += [f"not compared question by question: {line}" for line in unlike]
    if without_credits:
        commands = command_lines(problem.cell for problem in without_credits)
        notes.append(f"{AGAIN} {'; '.join(commands)}")
    return tuple(note.replace(f"{store}/", "") for note in notes)


def _gaps(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Digest of a model -> benchmarks that others of its scale have and it lacks."""
    scales = [part for _, part in frame.groupby("scale", sort=True)]
    return {run: names for part in scales for run, names in lacking(part, part["benchmark"]).items()}


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """Questions to look at."""

    samples: list[Sample]
    pictures: dict[str, str]
    """`lab_count/1f3a`, benchmark and name of a picture -> data URL."""
    lacking: dict[str, str]
    """The same names -> why there is none."""
    problems: list[str]
    """Benchmarks whose answers cannot be read, and why."""


def _looks(found: Sequence[Credits], frame: pd.DataFrame, entries: Entries, data: Path | None) -> _Looks:
    """Questions of everything that several models were asked, with their pictures."""
    several = [credits for credits in found if len(credits.runs) > 1]
    room = room_for(len(several), max((len(credits.runs) for credits in several), default=0))
    digests = {
        (str(benchmark), str(run)): str(digest)
        for benchmark, run, digest in zip(frame["benchmark"], frame["run"], frame["digest"], strict=True)
    }
    looks = _Looks(samples=[], pictures={}, lacking={}, problems=[])
    for credits in several:
        own = {run: digests[credits.benchmark, run] for run in credits.runs}
        try:
            sample = read_sample(credits, own, entries, room)
        except UserError as error:
            looks.problems.append(f"{credits.benchmark}: {error}")
            continue
        names = [answers.question.image for answers in sample.answers]
        recipe = sample.evaluation.manifest.get("recipe", {})
        pictures = read_pictures(recipe, names, data, BYTES // len(several))
        looks.samples.append(sample)
        looks.pictures.update((f"{credits.benchmark}/{name}", url) for name, url in pictures.shown.items())
        looks.lacking.update((f"{credits.benchmark}/{name}", why) for name, why in pictures.lacking.items())
    return looks


def _sample_data(sample: Sample, places: Mapping[str, int], room: int) -> dict[str, Any]:
    """Write a sample for the browser, as many questions as there is room for in characters of JSON."""
    order = sorted(range(len(sample.credits.runs)), key=lambda number: places[sample.credits.runs[number]])
    rows, used = [], 0
    for answers in sample.answers:
        row = _question_data(answers, sample.credits.benchmark, order)
        used += len(json.dumps(row, separators=(",", ":")))
        if used > room:
            break
        rows.append(row)
    return {
        "benchmark": sample.credits.benchmark,
        "category": CATEGORIES[sample.credits.category],
        "runs": [places[sample.credits.runs[number]] for number in order],
        "questions": rows,
    }


def _question_data(answers: Answers, benchmark: str, order: Sequence[int]) -> dict[str, Any]:
    """Write one question: every text once, and for each model in `order` which of them it said."""
    question = answers.question
    said = dict.fromkeys(text for text in [*answers.sighted, *answers.blind] if text is not None)
    texts = {text: number for number, text in enumerate(said)}
    accepted = dict.fromkeys(question.answers or (question.answer,))
    return {
        "id": question.id,
        "part": question.part,
        "prompt": shortened(question.prompt),
        "options": [shortened(option) for option in question.options],
        "accepted": [shortened(text) for text in accepted],
        "image": f"{benchmark}/{question.image}",
        "texts": [shortened(text) for text in texts],
        "sighted": [texts[answers.sighted[number]] for number in order],
        "blind": [None if (text := answers.blind[number]) is None else texts[text] for number in order],
        "credits": [rounded(answers.credits[number]) for number in order],
    }


def shortened(text: str) -> str:
    """Cut a text that is too long for the report, and say by how much."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]} [... {len(text) - LONGEST_TEXT:,} more characters]"
