"""GPU types: what a plan may be priced on, and what a training run is measured against."""

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
    cuda_names: tuple[str, ...] = ()
    """What CUDA calls the devices that have this peak; others of the family are clocked lower."""


_ROWS = (
    # name, TFLOP/s, GiB, GB/s, source, names in CUDA
    (
        "a100-40gb",
        312,
        40,
        1555,
        "NVIDIA A100 data sheet (June 2021), SXM",
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100-PCIE-40GB"),
    ),
    (
        "a100-80gb",
        312,
        80,
        2039,
        "NVIDIA A100 data sheet (June 2021), SXM",
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe"),
    ),
    (
        "h100-80gb",
        989.4,
        80,
        3350,
        "NVIDIA H100 data sheet, SXM; half of the figure with sparsity",
        ("NVIDIA H100 80GB HBM3",),
    ),
    (
        "h200-141gb",
        989.4,
        131,
        4800,
        "NVIDIA H200 data sheet, SXM: 141 GB (decimal)",
        ("NVIDIA H200",),
    ),
    (
        "l40s-48gb",
        362.05,
        48,
        864,
        "NVIDIA L40S data sheet, the figure without sparsity",
        ("NVIDIA L40S",),
    ),
    (
        "a10g-24gb",
        70,
        24,
        600,
        "NVIDIA A10G data sheet; half of the figure with sparsity",
        ("NVIDIA A10G",),
    ),
    (
        "rtx4090-24gb",
        165.2,
        24,
        1008,
        "NVIDIA Ada architecture white paper; float32 accumulation",
        ("NVIDIA GeForce RTX 4090",),
    ),
    (
        "v100-32gb",
        125,
        32,
        900,
        "NVIDIA V100 data sheet, SXM2; float16, it has no bfloat16",
        ("Tesla V100-SXM2-32GB",),
    ),
)

GPUS = {
    name: Gpu(
        name=name,
        flops=tera * TERA,
        memory=gib * GIB,
        bandwidth=giga * GIGA,
        source=source,
        cuda_names=cuda_names,
    )
    for name, tera, gib, giga, source, cuda_names in _ROWS
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


def peak_flops(cuda_name: str) -> float | None:
    """Peak FLOP/s of the device that CUDA calls `cuda_name`; None if it is in no row."""
    return next((gpu.flops for gpu in GPUS.values() if cuda_name in gpu.cuda_names), None)
