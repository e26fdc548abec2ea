"""How many rows a mixture takes of each source: pure functions from counts to counts.

Which rows these are is drawn elsewhere, by a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from cambrian.errors import UserError

Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a mixture takes of its sources: all of each, unless the other fields say less."""

    sources: tuple[str, ...]
    """File names of the catalog."""
    at_most: int | None = None
    """Threshold t: rows of any one source."""
    caps: Counts | None = None
    """Rows of single sources."""
    ratios: Mapping[str, float] | None = None
    """Category -> its share, in any unit, of a total that is given."""


def count_rows(
    mixture: Mixture, available: Counts, categories: Mapping[str, str], total: int
) -> dict[str, int]:
    """Say how many rows of each source `mixture` takes.

    Args:
        mixture: what is asked for.
        available: source -> rows that can be used.
        categories: source -> category.
        total: rows in all, for ratios; there are as many as the sources give otherwise.

    Raises:
        UserError: if a category has too few rows for its share.
    """
    counts = balance(available, mixture.at_most, mixture.caps or {})
    if mixture.ratios is None:
        return counts
    return mix(counts, categories, mixture.ratios, total)


def balance(available: Counts, at_most: int | None, caps: Counts) -> dict[str, int]:
    """Cut every source at the threshold `at_most` (the paper's t) and single ones at their `caps`."""
    return {
        name: min(count, count if at_most is None else at_most, caps.get(name, count))
        for name, count in available.items()
    }


def mix(
    available: Counts, categories: Mapping[str, str], ratios: Mapping[str, float], total: int
) -> dict[str, int]:
    """Share `total` among categories by `ratios`, and each share among its sources by their sizes.

    Raises:
        UserError: if a category has too few rows for its share, naming all of them.
    """
    pools: dict[str, dict[str, int]] = {category: {} for category in ratios}
    for name, count in available.items():
        pools.get(categories[name], {})[name] = count
    there = {category: sum(pool.values()) for category, pool in pools.items()}
    shares = apportion(ratios, total)
    short = [f"{name} {there[name]:,} of {share:,}" for name, share in shares.items() if there[name] < share]
    if short:
        whole = sum(ratios.values())
        enough = int(min(there[name] * whole / ratio for name, ratio in ratios.items() if ratio))
        raise UserError(
            f"too few rows for these ratios of {total:,}: {', '.join(short)}; "
            f"{enough:,} in all would have enough"
        )
    counts: dict[str, int] = {}
    for category, share in shares.items():
        counts |= apportion(pools[category], share)
    return {name: counts.get(name, 0) for name in available}


def apportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Share `total` in proportion to `weights` by largest remainders, so that the sum is `total` exactly.

    Of equal remainders the earlier name gains. No share is larger than its weight if `total` is at most the
    sum of whole weights.
    """
    exact = {name: Fraction(weight) for name, weight in weights.items()}
    whole = sum(exact.values())
    if not whole:
        return dict.fromkeys(weights, 0)
    quotas = {name: weight * total / whole for name, weight in exact.items()}
    shares = {name: int(quota) for name, quota in quotas.items()}
    missing = total - sum(shares.values())
    by_remainder = sorted(quotas, key=lambda name: shares[name] - quotas[name])
    for name in by_remainder[:missing]:
        shares[name] += 1
    return shares
