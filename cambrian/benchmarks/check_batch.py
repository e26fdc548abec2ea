"""Whether answers depend on the batch: ask a finished model in batches of several sizes, sharing and not.

    python -m cambrian.benchmarks.check_batch MODEL --benchmark ID [ID ...] [--check-batch 1,4,16]

Every way is held against one prompt at a time that shares nothing. In float32 no answer should flip; in
bfloat16, as on a GPU, some may where two tokens are nearly as likely as each other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.benchmarks.hub.places import contents_of
from cambrian.benchmarks.rows import Benchmark
from cambrian.benchmarks.suite import select
from cambrian.errors import UserError, leaving_on_user_error
from cambrian.runtime import Runtime
from cambrian.runtime_settings import read_data_place
from cambrian.sweep.__main__ import positive
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.place import locate_store

if TYPE_CHECKING:
    from cambrian.model.mllm import MultimodalLLM


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One way to ask, held against one prompt at a time."""

    benchmark: str
    batch_size: int
    share: bool
    answers: int
    """With the pictures and without."""
    flips: int
    """Answers that are others."""


def compare(
    model: MultimodalLLM, benchmark: Benchmark, runtime: Runtime, *, questions: int, sizes: Sequence[int]
) -> Iterator[Comparison]:
    """Ask `questions` of a benchmark (0: all) in batches of all `sizes`, with and without sharing.

    Raises:
        UserError: if the benchmark is not on this machine, or its data are not what they should be.
    """
    from cambrian.benchmarks.material import open_material  # late: numpy and torch take seconds
    from cambrian.stages.asking import Asking

    content = contents_of([benchmark.id], runtime.data).get(benchmark.id, "")
    recipe = {"benchmark": benchmark.recipe(content), "questions": questions, "seed": 0}
    material = open_material(recipe, runtime)

    def ask(batch_size: int, *, share: bool) -> list[str]:
        asking = Asking(
            model=model,
            material=material,
            max_new_tokens=benchmark.max_new_tokens,
            batch_size=batch_size,
            share=share,
        )
        return [prediction.raw for prediction in asking.predictions()]

    alone = ask(1, share=False)
    for share in (False, True):
        for size in sizes:
            found = alone if (size, share) == (1, False) else ask(size, share=share)
            yield Comparison(
                benchmark=benchmark.id,
                batch_size=size,
                share=share,
                answers=len(found),
                flips=sum(one != other for one, other in zip(alone, found, strict=True)),
            )


def main(arguments: Sequence[str]) -> int:
    """Print the flips of every benchmark and way; 1 if there are any.

    Raises:
        UserError: for what is not there or does not fit.
    """
    given = make_parser().parse_args(arguments)
    rows = select(given.benchmark)
    faults: list[str] = []
    data = read_data_place(given.data, faults)
    if faults:
        raise UserError("\n".join(faults))
    place = locate_store(given.store)
    runtime = Runtime(
        store=place.directory, bucket=place.url, device=given.device, threads=given.threads, data=data
    )
    store = open_store(runtime)
    from cambrian.release.sources import find_model  # late: torch, transformers and timm take seconds
    from cambrian.stages.device import prepare_device

    model = find_model(given.model, store).load(prepare_device(runtime))
    flips = 0
    for row in rows:
        for found in compare(model, row, runtime, questions=given.questions, sizes=given.check_batch):
            way = "shared prefixes" if found.share else "nothing shared"
            print(
                f"{found.benchmark:24s} batch {found.batch_size:<5d} {way:16s} "
                f"{found.flips} of {found.answers} answers flip",
                flush=True,
            )
            flips += found.flips
    return 1 if flips else 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m cambrian.benchmarks.check_batch",
        description="Ask a finished model in batches of several sizes; 1 if any answer depends on that.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a finished `tune` stage of the store, by the name of its run, its label or the beginning "
        "of its digest, or a directory of `python -m cambrian.release save`",
    )
    parser.add_argument("--benchmark", nargs="+", required=True, metavar="ID", help="benchmarks or suites")
    parser.add_argument(
        "--check-batch", type=_sizes, default=(1, 4, 16), metavar="N,N,...", help="default: 1,4,16"
    )
    parser.add_argument(
        "--questions", type=int, default=64, metavar="N", help="of each benchmark, 0: all; default: 64"
    )
    parser.add_argument("--data", metavar="DIR", help="data sets of this machine; default: $CAMBRIAN_DATA")
    parser.add_argument("--device", default="cpu", help="of torch; default: cpu")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="of torch; default: 1")
    parser.add_argument(
        "--store", metavar="PLACE", help="directory or URL; default: $CAMBRIAN_STORE, else runs/"
    )
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main(sys.argv[1:]))
