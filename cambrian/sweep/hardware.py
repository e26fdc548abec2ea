"""GPU types: what a plan may be priced on."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.errors import UserError, unknown_name

GIGA = 10**9
TERA = 10**12
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One type of GPU, as its vendor's data sheet describes it."""

    name: str
    flops: float
    """Peak dense FLOP/s in bfloat16 with float32 accumulation, without sparsity."""
    memory: int
    """Bytes."""
    bandwidth: float
    """Peak bytes per second between the GPU and its memory."""
    source: str


_ROWS = (
    # name, TFLOP/s, GiB, GB/s, source
    ("a100-40gb", 312, 40, 1555, "NVIDIA A100 data sheet (June 2021), SXM"),
    ("a100-80gb", 312, 80, 2039, "NVIDIA A100 data sheet (June 2021), SXM"),
    ("h100-80gb", 989.4, 80, 3350, "NVIDIA H100 data sheet, SXM; half of the figure with sparsity"),
    ("h200-141gb", 989.4, 131, 4800, "NVIDIA H200 data sheet, SXM: 141 GB (decimal)"),
    ("l40s-48gb", 362.05, 48, 864, "NVIDIA L40S data sheet, the figure without sparsity"),
    ("a10g-24gb", 70, 24, 600, "NVIDIA A10G data sheet; half of the figure with sparsity"),
    ("rtx4090-24gb", 165.2, 24, 1008, "NVIDIA Ada architecture white paper; float32 accumulation"),
    ("v100-32gb", 125, 32, 900, "NVIDIA V100 data sheet, SXM2; float16, it has no bfloat16"),
)

GPUS = {
    name: Gpu(name=name, flops=tera * TERA, memory=gib * GIB, bandwidth=giga * GIGA, source=source)
    for name, tera, gib, giga, source in _ROWS
}
"""By name."""


def find_gpu(name: str) -> Gpu:
    """Look up a GPU type.

    Raises:
        UserError: if there is none of that name, with those that there are.
    """
    if name not in GPUS:
        raise UserError(unknown_name("GPU type", name, GPUS))
    return GPUS[name]
