"""Build CV-Bench from annotations, and review it: `python -m cambrian.benchmarks.cvbench build | review`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from cambrian.benchmarks.cvbench.build import Built, Plan, Sources, build, notes_on, report_of
from cambrian.benchmarks.cvbench.dataset import read_rows
from cambrian.benchmarks.cvbench.decisions import DROP, POLICIES, apply_decisions
from cambrian.benchmarks.cvbench.review import PAGE, list_items, write_page
from cambrian.benchmarks.cvbench.rules import PUBLISHED, TASKS, Rules
from cambrian.errors import UserError, leaving_on_user_error

SHOWN_FAULTS = 10
_COMMAND = "python -m cambrian.benchmarks.cvbench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 2 if something in it, or in the data, has to be mended first."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.benchmarks.cvbench", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_build(verbs.add_parser("build", help="make the benchmark of annotations"))
    _add_review(verbs.add_parser("review", help="write the page to review it on, or apply what was decided"))
    given = parser.parse_args(arguments)
    with leaving_on_user_error():
        given.run(given)
    return 0


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_build)
    parser.add_argument("out", type=Path, help="the new folder; evaluate it with data=OUT")
    coco = "COCO: instances_val2017.json and the folder val2017"
    parser.add_argument("--coco", type=Path, nargs=2, metavar=("FILE", "PICTURES"), help=coco)
    ade20k = "ADE20K in full: a folder of JSON files beside pictures, such as images/ADE/validation"
    parser.add_argument("--ade20k", type=Path, metavar="FOLDER", help=ade20k)
    omni3d = "Omni3D: SUNRGBD_test.json, Hypersim_test.json, ..."
    parser.add_argument("--omni3d", type=Path, nargs="+", default=[], metavar="FILE", help=omni3d)
    parser.add_argument("--omni3d-images", type=Path, metavar="PICTURES", help="where its file paths begin")
    parser.add_argument("--seed", type=int, default=0, help="which questions are chosen (default 0)")
    for task in TASKS:
        wanted = PUBLISHED[task]
        text = f"most {task.lower()} questions (default {wanted}, as published)"
        parser.add_argument(f"--{task.lower()}", type=int, default=wanted, metavar="N", help=text)
    for rule in fields(Rules):
        kind = int if isinstance(rule.default, int) else float
        text = f"{rule.metadata['what']} (default {rule.default})"
        name = f"--{rule.name.replace('_', '-')}"
        parser.add_argument(name, type=kind, default=rule.default, metavar="X", help=text)


def _add_review(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_review)
    parser.add_argument("folder", type=Path, help="what `build` has made")
    page = f"where the page is written (default {PAGE} in the folder)"
    parser.add_argument("--page", type=Path, metavar="FILE", help=page)
    decisions = "decisions that the page has downloaded; makes reviewed data of them"
    parser.add_argument("--apply", type=Path, metavar="FILE", help=decisions)
    parser.add_argument("--out", type=Path, help="the new folder for the reviewed data")
    policy = f"questions without a decision (default {DROP})"
    parser.add_argument("--unreviewed", choices=POLICIES, default=DROP, help=policy)


def _build(given: argparse.Namespace) -> None:
    plan = Plan(
        wanted={task: getattr(given, task.lower()) for task in TASKS},
        rules=Rules(**{rule.name: getattr(given, rule.name) for rule in fields(Rules)}),
        seed=given.seed,
    )
    sources = Sources(
        coco=tuple(given.coco) if given.coco else None,
        ade20k=given.ade20k,
        omni3d=given.omni3d,
        omni3d_pictures=given.omni3d_images,
    )
    _print_built(build(given.out, sources, plan), plan, given.out)


def _print_built(built: Built, plan: Plan, out: Path) -> None:
    report = report_of(built, plan)
    for title in ("pictures", "questions", "answers"):
        print(f"{title}: {', '.join(f'{name} {number}' for name, number in report[title].items())}")
    for note in notes_on(built, plan):
        print(f"note: {note}")
    if built.faults:
        print(f"{len(built.faults)} records or pictures cannot be used, all of them in report.json:")
        print(*(f"  - {fault}" for fault in built.faults[:SHOWN_FAULTS]), sep="\n")
    print(f"{len(built.drafts)} questions in {out}; review them: {_COMMAND} review {out}")


def _review(given: argparse.Namespace) -> None:
    if given.apply is None:
        items = list_items(given.folder, read_rows(given.folder))
        page = given.page or given.folder / PAGE
        write_page(items, page)
        print(f"{len(items)} questions on {page}; open it in a browser, then download the decisions and")
        print(f"  {_COMMAND} review {given.folder} --apply DECISIONS.json --out REVIEWED")
        return
    if given.out is None:
        raise UserError("--apply needs --out: the new folder for the reviewed data")
    counts = apply_decisions(given.folder, given.apply, given.out, unreviewed=given.unreviewed)
    listed = ", ".join(f"{number} {status}" for status, number in counts.items())
    print(f"{listed}; unreviewed questions are {'left out' if given.unreviewed == DROP else 'kept'}")
    print(f"{len(read_rows(given.out))} questions in {given.out}")


if __name__ == "__main__":
    sys.exit(main())
