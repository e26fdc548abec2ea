"""What the doctor found, in lines for people; its JSON is for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 5
"""Examples of each kind."""


def print_report(report: Mapping[str, Any]) -> None:
    """Say in lines what was found."""
    print(f"{report['data']}: {report['rows']:,} rows, {report['usable']:,} can be used")
    for kind, count in report["kinds"].items():
        lines = [fault for fault in report["faults"] if fault["kind"] == kind][:SHOWN]
        print(f"  {count:,} {kind}, first: {'; '.join(_named(fault) for fault in lines)}")
    shares, lengths = report["shares"], report["lengths"]
    print(
        f"  {shares['with_image']:,} with an image ({shares['distinct_images']:,} distinct), "
        f"{shares['text_only']:,} of text alone"
    )
    print(f"  {shares['short_answers']:.0%} of the answers have up to three words")
    print(f"  turns: {', '.join(f'{turns} in {count:,}' for turns, count in shares['turns'].items())}")
    for name, (least, median, most_of, nearly, most) in lengths.items():
        print(f"  words of {name}: {least}-{most}, half up to {median}, 90 % to {most_of}, 99 % to {nearly}")
    for name, said in (
        ("repeated_ids", "ids stand in several rows"),
        ("misnamed", "images are of another type than named"),
    ):
        if report[name]:
            print(f"  {len(report[name]):,} {said}, first: {_first(report[name])}")
    _print_too_long(report["too_long"])
    overlap = report["overlap"]
    if overlap["with"]:
        print(
            f"against {overlap['with']}: {len(overlap['rows']):,} rows in both, "
            f"{overlap['same_images']:,} files of images in both, {len(overlap['images']):,} images are "
            f"copies of others ({overlap['rejected']:,} similar ones are not)"
        )
        for name in ("rows", "images"):
            for one in overlap[name][:SHOWN]:
                print("  " + ", ".join(f"{key} {value}" for key, value in one.items()))


def _named(fault: Mapping[str, Any]) -> str:
    detail = fault["reason"].partition(": ")[2]
    place = fault["place"] or f"line {fault['line']}"
    return f"{place} ({detail})" if detail else place


def _first(found: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in list(found.items())[:SHOWN])


def _print_too_long(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say what training makes of rows that are longer than the context, by kind."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for one in rows:
        kind = f"left out: {one['left_out']}" if one["left_out"] else "cut at the context"
        by_kind.setdefault(kind, []).append(one)
    for kind, ones in by_kind.items():
        first = "; ".join(f"line {one['line']} ({one['tokens']:,} tokens)" for one in ones[:SHOWN])
        print(f"  {len(ones):,} rows will be {kind}, first: {first}")
