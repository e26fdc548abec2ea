"""Benchmarks that are asked and have no score here: their answers are not public, or a model judges them.

What the model said is stored, with a file beside it in the form that the benchmark's own server or scorer
takes. They take part in no mean, table or figure of scores.
"""

from __future__ import annotations

from cambrian.benchmarks.hub import open_questions
from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.source import Source

NO_ANSWERS = "no public answers"

UNSCORED = (
    HubBenchmark(
        id="stvqa",
        display="ST-VQA",
        category="ocr_chart",
        matcher="text",
        metric="anls",
        cluster="image",
        max_new_tokens=128,
        questions=4070,
        options="open",
        data=Source(hub="lmms-lab/ST-VQA", split="test"),
        adapter=open_questions.scene_text,
        unscored=NO_ANSWERS,
        note="the server of the Robust Reading Competition scores `submission.json`",
    ),
    HubBenchmark(
        id="docvqa_test",
        display="DocVQA test",
        category="ocr_chart",
        matcher="text",
        metric="anls",
        cluster="image",
        max_new_tokens=128,
        questions=5188,
        options="open",
        data=Source(hub="lmms-lab/DocVQA", configs=("DocVQA",), split="test"),
        adapter=open_questions.document,
        unscored=NO_ANSWERS,
        note="as DocVQA, for the server that the authors submit to",
    ),
    HubBenchmark(
        id="infovqa_test",
        display="InfoVQA test",
        category="ocr_chart",
        matcher="text",
        metric="anls",
        cluster="image",
        max_new_tokens=128,
        questions=3288,
        options="open",
        data=Source(hub="lmms-lab/DocVQA", configs=("InfographicVQA",), split="test"),
        adapter=open_questions.infographic,
        unscored=NO_ANSWERS,
        note="as InfoVQA, for the server that the authors submit to",
    ),
    HubBenchmark(
        id="mmvet",
        display="MM-Vet",
        category="general",
        matcher="text",
        metric="accuracy",
        cluster="image",
        max_new_tokens=128,
        questions=218,
        options="open",
        data=Source(hub="lmms-lab/MMVet", split="test"),
        adapter=open_questions.mm_vet,
        unscored="a language model has to judge its answers",
        note="its own scorer asks GPT-4 for a degree from 0 to 1 and takes `submission.json`",
    ),
)
