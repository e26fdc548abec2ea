"""What dead processes leave in object storage, where no directory listing of this machine shows it."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.stages.base import KINDS
from cambrian.sweep.bucket_layer import BucketLayer
from cambrian.sweep.claim import LOCKS
from cambrian.sweep.presence import Holder
from cambrian.sweep.store import Stray


def find_strays(layer: BucketLayer, holders: Sequence[Holder]) -> list[Stray]:
    """Claims of dead processes, files of results that were never finished, work of finished stages."""
    live = {holder.digest for holder in holders if holder.is_live}
    found = [
        Stray(key=f"{LOCKS}/{holder.digest}", why="claim of a process that is gone", bytes=0)
        for holder in holders
        if not holder.is_live
    ]
    finished: set[str] = set()
    for kind in KINDS:
        sizes, complete = layer.sizes(kind)
        finished |= complete
        found += [
            Stray(key=f"{kind}/{digest}", why="part of a result, its process is gone", bytes=size)
            for digest, size in sizes.items()
            if digest not in complete | live
        ]
    found += [
        Stray(key=f"work/{digest}", why="checkpoints of a finished stage", bytes=size)
        for digest, size in layer.sizes("work")[0].items()
        if digest in finished - live
    ]
    found += [
        Stray(key=f"notices/{name}", why="word of a sweep that has left", bytes=size)
        for name, size in layer.bucket.sizes("notices").items()
        if not live
    ]
    return found + [
        Stray(key=f"failed/{name}", why="failure of a stage that is finished since", bytes=size)
        for name, size in layer.bucket.sizes("failed").items()
        if name.removesuffix(".json") in finished - live
    ]
