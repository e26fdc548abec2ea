"""What a store holds, who is at work in it, what failed and what is left over. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cambrian.stages.base import KINDS
from cambrian.sweep.files import tree_bytes
from cambrian.sweep.garbage import children, leftovers, weigh
from cambrian.sweep.presence import Holder
from cambrian.sweep.progress import Step, read_step
from cambrian.sweep.records import read_records
from cambrian.sweep.rendering import duration, size
from cambrian.sweep.scores import failure_lines
from cambrian.sweep.store import Store


def read_status(store: Store) -> dict[str, Any]:
    """Describe `store` in plain JSON values.

    Returns:
        {"store": path,
         "stages": {kind: {"finished", "bytes", "shipped": of the read-only layer}},
         "sweeps": [{"label", "pid", "host", "since", "silent_seconds", "alive"}],
         "making": the same with "digest", and "done" and "total" steps, null while unknown,
         "failed": [{"digest", "failure_class", "message", "attempts", "host", "pid", "time", "log",
                     "stage": {"kind", "label", ...}, "runtime"}],
         "unfinished": [{"digest", "label": null if nobody knows, "path", "bytes": of its checkpoints}],
         "leftovers": [{"path", "why", "bytes"}], for `gc`,
         "cache_bytes", "tracking_bytes"}
    """
    at_work = store.holders()
    records = list(read_records(store))
    steps = _steps(store)
    labels = {record.digest: str(record.stage["label"]) for record in records}
    labels |= {holder.digest: holder.owner.label for holder in at_work}
    garbage = [{"path": str(g.path), "why": g.why, "bytes": weigh(g)} for g in leftovers(store)]
    garbage += [
        {"path": str(path), "why": "found damaged", "bytes": tree_bytes(path)}
        for path in children(store.root / "quarantine")
    ]
    return {
        "store": store.place,
        "stages": _stages(store),
        "sweeps": [_holder(holder) for holder in at_work if holder.is_session],
        "making": [
            {"digest": holder.digest, **_holder(holder), **_progress(steps.get(holder.digest))}
            for holder in at_work
            if not holder.is_session
        ],
        "failed": [asdict(record) for record in records],
        "unfinished": [
            {
                "digest": path.name,
                "label": labels.get(path.name),
                "path": str(path),
                "bytes": tree_bytes(path),
            }
            for path in children(store.root / "work")
            if not store.own_kind_of(path.name)
        ],
        "leftovers": garbage,
        "cache_bytes": tree_bytes(store.root / "cache"),
        "tracking_bytes": tree_bytes(store.root / "tracking"),
    }


def print_status(status: Mapping[str, Any]) -> None:
    """Show what `read_status` gave, for people."""
    console = Console(highlight=False)
    table = Table("kind", "finished", "bytes", "shipped", title=status["store"], title_justify="left")
    for kind, count in status["stages"].items():
        table.add_row(kind, str(count["finished"]), size(count["bytes"]), str(count["shipped"]))
    console.print(table)
    lines = [f"sweep:      {_presence(holder)}" for holder in status["sweeps"]]
    lines += [f"making:     {_presence(holder)}" for holder in status["making"]]
    lines += failure_lines(
        (record["failure_class"], record["stage"]["label"], record["message"], _log(status, record))
        for record in status["failed"]
    )
    lines += [
        f"unfinished: {work['label'] or work['digest'][:12]}  {size(work['bytes'])} of checkpoints"
        for work in status["unfinished"]
        if work["bytes"]
    ]
    lines += [
        f"left over:  {garbage['path']}  {size(garbage['bytes'])}, {garbage['why']}"
        for garbage in status["leftovers"]
    ]
    lines += [f"cache:      {size(status['cache_bytes'])}; tracking: {size(status['tracking_bytes'])}"]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _stages(store: Store) -> dict[str, dict[str, int]]:
    found = {}
    for kind in KINDS:
        own = store.own_sizes(kind)
        shipped = store.digests(kind) - own.keys()
        found[kind] = {"finished": len(own), "bytes": sum(own.values()), "shipped": len(shipped)}
    return found


def _steps(store: Store) -> dict[str, Step]:
    """Where running tasks are, by the digest of the stage at work."""
    found = [read_step(path) for path in sorted((store.root / "tracking").glob("*.progress"))]
    return {step.digest: step for step in found if step is not None}


def _holder(holder: Holder) -> dict[str, Any]:
    owner = holder.owner
    return {
        "label": owner.label,
        "pid": owner.pid,
        "host": owner.host,
        "since": owner.since,
        "silent_seconds": round(holder.silent_seconds, 1),
        "alive": holder.is_live,
    }


def _progress(step: Step | None) -> dict[str, int | None]:
    known = step if step is not None and step.total else None
    return {"done": known.done if known else None, "total": known.total if known else None}


def _presence(holder: Mapping[str, Any]) -> str:
    steps = f"  {holder['done']}/{holder['total']} steps" if holder.get("total") else ""
    heard = f"heard of {duration(holder['silent_seconds'])} ago" if holder["alive"] else "STALE: it is gone"
    return (
        f"{holder['label']}{steps}  pid {holder['pid']} on {holder['host']} since {holder['since']}, {heard}"
    )


def _log(status: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
    return Path(status["store"]) / record["log"]
