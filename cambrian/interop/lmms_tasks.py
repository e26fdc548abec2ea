"""Which task of lmms-eval asks which benchmark of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cambrian.errors import UserError, unknown_name

RECORDS, QUESTIONS = "records", "questions"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row: a task whose documents are the records of a benchmark's split, in their order."""

    name: str
    benchmark: str
    numbers: str = RECORDS
    """What its `doc_id` counts: all records of the split, or those alone that are questions of ours."""


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(name="mme", benchmark="mme_p"),
        Task(name="mmbench_en_dev", benchmark="mmb"),
        Task(name="mmbench_cn_dev", benchmark="mmb_cn"),
        Task(name="seedbench", benchmark="seed_i"),
        Task(name="gqa", benchmark="gqa"),
        # A configuration of the questions with pictures.
        Task(name="scienceqa_img", benchmark="sqa_i", numbers=QUESTIONS),
        Task(name="mmmu_val", benchmark="mmmu_v"),
        Task(name="mathvista_testmini_cot", benchmark="mathvista_m"),
        Task(name="mathvista_testmini_format", benchmark="mathvista_m"),
        Task(name="mathvista_testmini_solution", benchmark="mathvista_m"),
        Task(name="ai2d", benchmark="ai2d"),
        Task(name="chartqa", benchmark="chartqa"),
        Task(name="ocrbench", benchmark="ocrbench"),
        Task(name="textvqa_val", benchmark="textvqa"),
        Task(name="docvqa_val", benchmark="docvqa"),
        Task(name="infovqa_val", benchmark="infovqa"),
        Task(name="mmvp", benchmark="mmvp"),
        Task(name="realworldqa", benchmark="realworldqa"),
        # Configurations of their own.
        Task(name="cv_bench_2d", benchmark="cvbench_2d", numbers=QUESTIONS),
        Task(name="cv_bench_3d", benchmark="cvbench_3d", numbers=QUESTIONS),
        Task(name="pope", benchmark="pope"),
        Task(name="mmstar", benchmark="mmstar"),
        Task(name="vizwiz_vqa_val", benchmark="vizwiz"),
        Task(name="synthdog_en", benchmark="synthdog"),
    )
}
"""By name. BLINK is six tasks there; V* and Q-Bench are other copies, whose order of records is not ours."""


def find_task(name: str) -> Task:
    """Look up a task.

    Raises:
        UserError: if its results cannot be matched to a benchmark.
    """
    if name not in TASKS:
        raise UserError(unknown_name("task of lmms-eval", name, TASKS))
    return TASKS[name]
