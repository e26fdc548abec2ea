"""Time a training step of the multimodal LLM against plain PyTorch, full padding, and two processes.

    python perf/train_step.py [--steps 8] [--repeats 3]

The lab's SigLIP and LLM with a fresh connector, tuned on talks with a quarter of the lengths of LLaVA's (text
of 15 to 512 tokens, most of them short), batches of 64 in micro-batches of 8, one thread per process. All
ways take the same steps and have to agree on the losses. They take turns; printed are the medians of the
turns, start-up, first step and checkpoints left out, and their ratios to the product's own step. CPU seconds
are those of the process that trains; on a machine that others use too, they tell more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from cambrian.data.batching import Batch, ConversationBatches, collate, cut_by_length, load_images
from cambrian.data.conversation import Conversation, Turn
from cambrian.data.tokenization import IGNORED
from cambrian.lab.corpus import LabCorpus
from cambrian.lab.vocabulary import VOCABULARY
from cambrian.model.assembly import assemble
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.task import MultimodalTask
from cambrian.optimizer import cosine_factor, make_optimizer
from cambrian.runtime import SHIPPED, Runtime, SilentTracker
from cambrian.stages.base import Artifact, StageContext, StageKind
from cambrian.stages.device import training_conditions
from cambrian.stages.launch import run_stage
from cambrian.training import Schedule, fit

BATCH, MICRO_BATCH = 64, 8
LONGEST = 512
CONNECTOR = {"kind": "concat", "side": 4, "layers": 2, "newline": False}
RATES = {"connector": 2e-3, "llm": 1e-3}
TWO = "product, two processes"
KIND = StageKind(name="step", version=1, function="train_step:run", parallel=True)


@dataclass
class Course:
    """How one way went."""

    losses: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    """Time at the end of each step."""
    cpu: list[float] = field(default_factory=list)
    """CPU time of this process then."""

    def mark(self) -> None:
        """End a step."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())


def per_step(ends: Sequence[float]) -> float:
    """Seconds of a step, of all but the first, in which things start, and the last, which may be saved."""
    return (ends[-2] - ends[0]) / (len(ends) - 2)


class Talks(LabCorpus):
    """The lab's pictures with talks of LLaVA-like lengths; every tenth is about no picture."""

    def conversation(self, index: int) -> Conversation:
        """Draw words: 60 % short, 30 % longer, 10 % up to the end of the context."""
        rng = np.random.default_rng([7, index])
        kind = rng.choice(3, p=[0.6, 0.3, 0.1])
        count = int(rng.integers([15, 30, 150][kind], [30, 150, LONGEST][kind]))
        answer = " ".join(rng.choice(VOCABULARY, size=count))
        image = None if index % 10 == 9 else index
        return Conversation(id=str(index), image=image, turns=(Turn(question="what is", answer=answer),))


def make_model() -> MultimodalLLM:
    """Put the lab's parts together, ready to be tuned."""
    described = {path.parent: path.read_text() for path in SHIPPED.glob("encoder/*/manifest.json")}
    encoder = next(folder for folder, text in described.items() if '"label": "encoder siglip"' in text)
    (language,) = (path.parent for path in SHIPPED.glob("language/*/manifest.json"))
    model = assemble(
        encoder_dirs=[encoder],
        language_dir=language,
        connector_recipe=CONNECTOR,
        template="lab",
        seed=0,
    )
    freeze(model, stage="tune", vision="frozen")
    return model


def make_task(model: MultimodalLLM, steps: int, cache: Path) -> MultimodalTask:
    """Make the task that all ways do."""
    corpus = Talks("instruct", steps * BATCH, 0, cache)
    batches = ConversationBatches(size=len(corpus), epochs=1.0, batch_size=BATCH, seed=0)
    return MultimodalTask(model, corpus, batches, rates=RATES, weight_decay=0.0)


def schedule(steps: int) -> Schedule:
    """Take `steps` steps."""
    return Schedule(steps=steps, batch_size=BATCH, warmup_fraction=0.1, clip=1.0, betas=(0.9, 0.98), seed=0)


def run(recipe: Mapping[str, Any], inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Train as a stage does, in one process or in several."""
    conditions = training_conditions(context)
    task = make_task(make_model(), recipe["steps"], context.runtime.store)
    return {"losses": list(fit(task, schedule(recipe["steps"]), conditions).losses)}


def product(steps: int, cache: Path, processes: int) -> Course:
    """Train by the product's loop."""
    course = Course()
    with tempfile.TemporaryDirectory(prefix="perf-step-") as folder:
        context = StageContext(
            payload=Path(folder),
            workdir=Path(folder) / "work",
            runtime=Runtime(
                store=cache, processes=processes, micro_batch=MICRO_BATCH, checkpoint_seconds=3600.0
            ),
            tracker=SilentTracker(),
            progress=lambda done, total: course.mark(),
        )
        course.losses = run_stage(KIND, {"steps": steps}, {}, context)["losses"]
    return course


def plain(steps: int, cache: Path, *, padded: bool) -> Course:
    """The same in a plain loop; `padded` takes examples as they come and fills all up to the full length."""
    model = make_model()
    corpus = Talks("instruct", steps * BATCH, 0, cache)
    batches = ConversationBatches(size=len(corpus), epochs=1.0, batch_size=BATCH, seed=0)
    groups = make_task(model, steps, cache).parameter_groups()
    optimizer = make_optimizer(groups, (0.9, 0.98))
    parameters = [parameter for group in groups for parameter in group.parameters]
    course = Course()
    for step in range(steps):
        talks = [corpus.conversation(index) for index in batches.indices(step)]
        encoded = [model.chat.encode(talk) for talk in talks]
        optimizer.zero_grad()
        total, weight = 0.0, 0
        lengths = [0 if padded else len(example.input_ids) for example in encoded]
        for part in cut_by_length(lengths, MICRO_BATCH):
            images = load_images(corpus.pictures, [talks[place].image for place in part], model.views)
            examples = [encoded[place] for place in part]
            batch = collate(examples, images, pad_id=model.chat.pad_id, padding="right")
            if padded:
                batch = fill_up(batch, model.chat.pad_id)
            loss, count = model.loss(batch)
            loss.backward()
            total, weight = total + float(loss.detach()), weight + int(count)
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= weight
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        factor = cosine_factor(step, steps=steps, warmup_fraction=0.1)
        for group, settings in zip(groups, optimizer.param_groups, strict=True):
            settings["lr"] = group.lr * factor
        optimizer.step()
        course.losses.append(total / weight)
        course.mark()
    return course


def fill_up(batch: Batch, pad_id: int) -> Batch:
    """Pad to the full length."""
    more = (0, LONGEST - batch.input_ids.shape[1])
    return replace(
        batch,
        input_ids=F.pad(batch.input_ids, more, value=pad_id),
        labels=F.pad(batch.labels, more, value=IGNORED),
        attention_mask=F.pad(batch.attention_mask, more),
        placeholder=F.pad(batch.placeholder, more),
    )


def require_agreement(losses: Mapping[str, Sequence[float]]) -> None:
    """Stop unless all ways have the losses of the first, to 1e-3: from step to step rounding grows."""
    first = next(iter(losses.values()))
    for name, others in losses.items():
        worst = max(abs(a - b) / a for a, b in zip(first, others, strict=True))
        if worst > 1e-3:
            sys.exit(f"losses of '{name}' differ by {worst:.1e}; nothing is compared")


def main() -> None:
    """Let all ways take turns and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="perf-cache-") as name:
        cache = Path(name)
        ways: dict[str, Callable[[], Course]] = {
            "product": lambda: product(given.steps, cache, 1),
            "plain loop": lambda: plain(given.steps, cache, padded=False),
            "padded to the full length": lambda: plain(given.steps, cache, padded=True),
            TWO: lambda: product(given.steps, cache, 2),
        }
        courses: dict[str, list[Course]] = {way: [] for way in ways}
        for _ in range(given.repeats):
            for way, take in ways.items():
                courses[way].append(take())
            require_agreement({way: each[-1].losses for way, each in courses.items()})
    print(f"{'a step of 64 talks':<28}{'seconds':>9}{'ratio':>9}{'CPU seconds':>14}{'ratio':>9}")
    wall, cpu = (
        {
            way: statistics.median(per_step(getattr(one, clock)) for one in each)
            for way, each in courses.items()
        }
        for clock in ("wall", "cpu")
    )
    for way in ways:
        line = f"{way:<28}{wall[way]:>9.3f}{wall[way] / wall['product']:>8.3f}x"
        if way != TWO:  # others than this process do the work
            line += f"{cpu[way]:>14.3f}{cpu[way] / cpu['product']:>8.3f}x"
        print(line)


if __name__ == "__main__":
    main()
