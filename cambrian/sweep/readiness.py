"""What a plan needs that is not on this machine, said before anything is launched."""

from __future__ import annotations

from cambrian.errors import ConfigError
from cambrian.sweep.plan import Plan

TRAINING = ("align", "tune")


def require_data(plan: Plan) -> None:
    """Refuse a plan that trains on data sets of which there is no copy.

    Raises:
        ConfigError: naming all of them.
    """
    recipes = [
        plan.stages[digest].recipe["data"] for digest in plan.pending if plan.stages[digest].kind in TRAINING
    ]
    absent = sorted({data["source"] for data in recipes if "world" not in data and "content" not in data})
    if absent:
        raise ConfigError(
            [
                f"the data set '{name}' is not on this machine: put {name}.jsonl (or .json), rows in LLaVA's "
                "format, and its images into one directory and say data=DIRECTORY"
                for name in absent
            ]
        )
