"""The table of the hub's benchmarks: the sixteen of the paper, then those that its authors evaluate besides.

Data sets, splits, prompts and lengths are those of the authors' evaluation; where theirs has no public
answers the note of the row says what is asked instead. Their ST-VQA (no public answers) and MM-Vet (judged by
GPT-4) are asked and not scored. No commit of a data set is known to be that of the published
numbers, so all are taken at `main`, and the provenance of a result keeps the commit that it was.
"""

from __future__ import annotations

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.further_rows import FURTHER
from cambrian.benchmarks.hub.paper_rows import PAPER
from cambrian.benchmarks.hub.unscored_rows import UNSCORED as _UNSCORED

PAPER16 = tuple(row.id for row in PAPER)
"""In the order of the paper's tables."""
HUB: dict[str, HubBenchmark] = {row.id: row for row in (*PAPER, *FURTHER)}
"""All that have a score."""
UNSCORED: dict[str, HubBenchmark] = {row.id: row for row in _UNSCORED}
"""Asked, but not scored."""
