"""Time the Spatial Vision Aggregator against the same mathematics written out, keys and values projected.

    python perf/sva.py [--sizes 8x256 24x1024 ...] [--repeats 5]

One thread, B=2, encoders with m = [1, 1, 1, 4], depth 3, 16 heads. Both run the same weights and inputs, in
turns; results have to agree to 1e-5 before anything is timed. Prints minimum and median seconds and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cambrian.connectors.oracle import plain_sampler
from cambrian.connectors.sampler import Sampler
from cambrian.connectors.windows import windows_of
from cambrian.reference.vectors import relative_error

BATCH, WINDOWS, DEPTH, HEADS = 2, (1, 1, 1, 4), 3, 16
SIZES = ("8x256", "8x1024", "24x256", "24x1024")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A sampler with its inputs, all of which take gradients."""

    sampler: Sampler
    query: Tensor
    context: Tensor
    tokens: list[Tensor]

    def ours(self) -> Tensor:
        """Run the product's form; windows start from one query, as in the connector."""
        windows = [windows_of(tokens, None) for tokens in self.tokens]
        return self.sampler(self.query.expand(BATCH, 1, -1), self.context, windows)

    def plain(self) -> Tensor:
        """Run the written-out form."""
        windows = [windows_of(tokens, None) for tokens in self.tokens]
        queries = self.query.expand(BATCH, self.tokens[0].shape[1], -1)
        return plain_sampler(self.sampler, queries, self.context, windows)

    def gradients(self, run: Callable[[], Tensor]) -> list[Tensor]:
        """Run forward and backward, and give all gradients."""
        inputs = [self.query, self.context, *self.tokens, *self.sampler.parameters()]
        return list(torch.autograd.grad(run().square().mean(), inputs))


def make_case(side: int, width: int) -> Case:
    """Make random weights and inputs."""
    torch.manual_seed(0)
    sampler = Sampler(query_width=width, width=width, heads=HEADS, windows=WINDOWS, depth=DEPTH)
    tokens = [torch.randn(BATCH, side * side, m * m, width, requires_grad=True) for m in WINDOWS]
    query = (torch.randn(width) / width**0.5).requires_grad_()
    return Case(
        sampler=sampler,
        query=query,
        context=torch.randn(BATCH, width, requires_grad=True),
        tokens=tokens,
    )


def agree(case: Case) -> None:
    """Stop unless outputs and gradients of both forms are equal to 1e-5."""
    with torch.no_grad():
        error = relative_error(case.ours(), case.plain())
    ours, plain = case.gradients(case.ours), case.gradients(case.plain)
    largest = max(float(gradient.abs().max()) for gradient in plain)
    errors = [relative_error(a, b, floor=1e-3 * largest) for a, b in zip(ours, plain, strict=True)]
    print(f"  equal to {error:.1e}, gradients to {max(errors):.1e}")
    if error > 1e-5 or max(errors) > 1e-5:
        sys.exit("the two forms differ; not timed")


def compare(title: str, ours: Callable[[], object], plain: Callable[[], object], repeats: int) -> None:
    """Time both in turns and print a line."""
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(repeats):
        for name, run in (("ours", ours), ("plain", plain)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    fast, slow = seconds["ours"], seconds["plain"]
    middle = statistics.median(slow) / statistics.median(fast)
    print(
        f"  {title:<20} ours {min(fast):7.3f} s (median {statistics.median(fast):7.3f})   "
        f"plain {min(slow):7.3f} s (median {statistics.median(slow):7.3f})   "
        f"ratio {min(slow) / min(fast):.2f} (median {middle:.2f})",
        flush=True,
    )


def forward(run: Callable[[], Tensor]) -> Callable[[], object]:
    """Make a call without gradients."""

    def call() -> Tensor:
        with torch.no_grad():
            return run()

    return call


def main() -> None:
    """Check, then time every size."""
    parser = argparse.ArgumentParser(description="Time SVA against its written-out form.")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="query side L x width C, such as 24x1024")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each form")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"SVA, one thread, float32, B={BATCH}, m={list(WINDOWS)}, D={DEPTH}, heads={HEADS}")
    for size in options.sizes:
        side, width = (int(part) for part in size.split("x"))
        print(f"L={side} C={width}")
        case = make_case(side, width)
        agree(case)
        compare("forward", forward(case.ours), forward(case.plain), options.repeats)
        compare(
            "forward + backward",
            lambda case=case: case.gradients(case.ours),
            lambda case=case: case.gradients(case.plain),
            options.repeats,
        )


if __name__ == "__main__":
    main()
