"""Which encoder and connector to take under a budget, how sure that is, and what to run next.

python -m analysis.choose --category ocr_chart --budget visual_tokens=576 --budget gpu_hours=200
python -m analysis.choose --published --budget parameters=8e9 --only instruct=737k

Candidates are the designs among own results (or, with --published, the paper's models) within the budget.
Those whose difference from the best one could be noise are marked. Runs are listed by what the choice is
expected to gain by them, for each hour that they cost.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import fields

from analysis.choose.candidates import Pool, published_pool
from analysis.choose.choice import make_choice
from analysis.choose.costs import TRAINING, Cost
from analysis.choose.own_candidates import own_pool
from analysis.choose.text import as_dict, as_text
from analysis.command import Hints, add_store_options, chosen_axes, first_look, read_credits
from analysis.errors import AnalysisError, unknown
from analysis.published import AVERAGE, CATEGORIES
from analysis.results import MANIFEST, open_store
from cambrian.errors import UserError

LIMITS = tuple(field.name for field in fields(Cost))
EXAMPLES = {"visual_tokens": "576", "parameters": "8e9", "gpu_hours": "200"}
GPU = "a100-80gb"
HINTS = Hints(program="python -m analysis.choose")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the choice; 2 if there is nothing to choose from."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.published and (options.store or options.runs or options.proxy != 1):
        parser.error(
            "--published chooses among the paper's models; --store, --runs and --proxy among own ones"
        )
    try:
        budget = read_budget(options.budget)
        chosen = [make_choice(pool, budget) for pool in _pools(options)]
    except (AnalysisError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(as_dict(chosen, options.category, budget), indent=2, ensure_ascii=False))
    else:
        print(as_text(chosen, options.category, budget, options.next, look=first_look(options.proxy)))
    return 0 if all(one.ranked for one in chosen) else 2


def read_budget(words: Sequence[str]) -> dict[str, float]:
    """Limits of `NAME=LIMIT` words.

    Raises:
        AnalysisError: with every fault.
    """
    limits: dict[str, float] = {}
    faults = []
    for word in words:
        name, _, value = word.partition("=")
        if name not in LIMITS:
            faults.append(unknown("budget", name, LIMITS))
        elif name in limits:
            faults.append(f"{name} is limited twice")
        elif (limit := _positive(value)) is None:
            faults.append(
                f"--budget {name} takes a number above 0, such as {name}={EXAMPLES[name]}; got '{value}'"
            )
        else:
            limits[name] = limit
    if faults:
        raise AnalysisError("\n".join(faults))
    return limits


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _pools(options: argparse.Namespace) -> list[Pool]:
    found = []
    if options.published or options.both:
        found.append(published_pool(options.category, chosen_axes(options.only), options.gpu))
    if not options.published:
        frame, credits = read_credits(
            options.store, options.only, runs=options.runs, proxy=options.proxy, hints=HINTS
        )
        with open_store(options.store, more=[f"{kind}/*/{MANIFEST}" for kind in TRAINING]) as place:
            found.append(own_pool(frame, credits, place, options.category, options.gpu))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.choose",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--published", action="store_true", help="among the paper's models")
    which.add_argument("--both", action="store_true", help="among the paper's models and own ones, apart")
    parser.add_argument(
        "--category",
        choices=(*CATEGORIES, AVERAGE),
        default=AVERAGE,
        help="what to be good at (default: the average of the four)",
    )
    parser.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="NAME=LIMIT",
        help=f"largest cost, may be given several times; names: {', '.join(LIMITS)}",
    )
    parser.add_argument("--gpu", default=GPU, help=f"type that GPU-hours are planned for (default: {GPU})")
    parser.add_argument("--next", type=int, default=3, metavar="N", help="runs to propose (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
