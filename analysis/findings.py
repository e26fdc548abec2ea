"""The paper's findings, tested on results.

python -m analysis.findings               on own results
python -m analysis.findings --published   on the paper's tables
python -m analysis.findings --both        on each, and where they agree

A finding is split into hypotheses, all of them rows of one table (analysis/hypotheses.py). Each gets an
effect with its 95 % interval and a verdict: supported, contradicted, not resolved or no data. Behind each
stand the digests of the models that it was taken from, or the lines of the published tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.command import Hints, add_store_options, first_look, read_credits
from analysis.errors import AnalysisError
from analysis.findings_text import as_dict, as_markdown, as_text
from analysis.testing import Family, Finding, own_family, published_family

HINTS = Hints(script="findings.py", fill="python run.py -m sweep=fig5")
"""Most hypotheses are about what Figure 5 compares."""


def findings(
    store: str | None = None, *, only: Sequence[str] = (), runs: Path | None = None, proxy: float = 1.0
) -> tuple[Finding, ...]:
    """Test the paper's findings on the results in `store`, a directory or URL; None is the default store.

    Where results are read already, `testing.own_family(frame, credits).findings` is the same, and
    `testing.published_family().findings` takes the paper's tables. A finding has `hypothesis` (`id`,
    `statement`, `unit`, `finding`: the paper's number), `verdict`, `reason`, `effect` (`value`, `low`,
    `high`), `adjusted` (p), `units` and `evidence` (digests or FILE:LINE); `findings_text.sentence` puts one
    into words.

    Raises:
        AnalysisError: if there are no results, or of several scales.
    """
    return _own(store, only, runs, proxy).findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; 2 if there is nothing to test them on."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.published and (options.store or options.only or options.runs or options.proxy != 1):
        parser.error(
            "--published tests on the paper's tables alone; --store, --only, --runs and --proxy choose among "
            "own results"
        )
    families = [published_family()] if options.published or options.both else []
    try:
        if not options.published:
            families.append(_own(options.store, options.only, options.runs, options.proxy))
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(as_dict(families), indent=2, ensure_ascii=False))
    else:
        render = as_markdown if options.markdown else as_text
        print(render(families, look=first_look(options.proxy)))
    return 0


def _own(store: str | None, only: Sequence[str], runs: Path | None, proxy: float) -> Family:
    return own_family(*read_credits(store, list(only), runs=runs, proxy=proxy, required=False, hints=HINTS))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.findings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--published", action="store_true", help="on the paper's tables alone")
    which.add_argument("--both", action="store_true", help="on the paper's tables and on own results, apart")
    add_store_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
