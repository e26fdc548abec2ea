"""Look after a store of sweeps: what is in it, why stages differ, failed stages once more, what can go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from cambrian.errors import UserError, leaving_on_user_error
from cambrian.runtime import Runtime
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.garbage import Garbage, collect, leftovers, remove_unneeded, unneeded, weigh
from cambrian.sweep.place import locate_store
from cambrian.sweep.records import read_records
from cambrian.sweep.rendering import size
from cambrian.sweep.retry import try_again
from cambrian.sweep.room import explaining_full_disk
from cambrian.sweep.scores import WIDTH, failure_lines
from cambrian.sweep.stage_log import log_path
from cambrian.sweep.status import print_status, read_status
from cambrian.sweep.store import Store
from cambrian.sweep.why import complete, why

ROWS = 40
"""Things that `gc` lists one by one."""

HELP = {
    "status": "what the store holds, what is being made, what failed, what is left over; reads only",
    "why": "what a stage is made of, or the fields in which two differ",
    "retry": "make failed stages again, those whose inputs are in the store",
    "gc": "what no finished evaluation and no process at work needs; removes it with --yes only",
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb; 0 if all is well, 1 if stages still fail, 130 after Ctrl-C, 75 after a preemption.

    Raises:
        UserError: for a store or a digest that is not there, and if the disk is too full to begin.
    """
    given = make_parser().parse_args(arguments)
    place = locate_store(given.store)
    store = open_store(Runtime(store=place.directory, bucket=place.url))
    if given.verb != "why" and not store.exists:
        raise UserError(f"{store.place} is no store; name one with --store PLACE or CAMBRIAN_STORE")
    if given.verb == "status":
        return show_status(store, as_json=given.json)
    if given.verb == "why":
        print("\n".join(why(given.digest, store)))
        return 0
    with explaining_full_disk(store):
        if given.verb == "retry":
            return retry(store, given.digest, given.workers)
        return collect_garbage(store, given.older_than, really=given.yes)


def make_parser() -> argparse.ArgumentParser:
    """The command line: one verb and its options."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.sweep", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        metavar="PLACE",
        help="directory or URL; default: $CAMBRIAN_STORE, else runs/",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    status, why_, retry_, gc = (
        verbs.add_parser(verb, help=text, description=text, parents=[common]) for verb, text in HELP.items()
    )
    status.add_argument("--json", action="store_true", help="as one JSON object")
    why_.add_argument("digest", nargs="+", action=OneOrTwo, help="a digest, or its first characters")
    retry_.add_argument("digest", nargs="*", help="of failed stages; none: all of them")
    retry_.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes; default: 1, this one"
    )
    gc.add_argument("--yes", action="store_true", help="remove it; without this nothing is touched")
    gc.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="also checkpoints of unfinished stages that nothing has touched for so long",
    )
    return parser


def show_status(store: Store, *, as_json: bool) -> int:
    """Show the status, for people or for programs."""
    status = read_status(store)
    if as_json:
        print(json.dumps(status, indent=1))
    else:
        print_status(status)
    return 0


def retry(store: Store, prefixes: Sequence[str], workers: int) -> int:
    """Try failed stages again and say what became of them."""
    records = {record.digest: record for record in read_records(store)}
    chosen = [complete(prefix, sorted(records), "failed stages") for prefix in prefixes] or list(records)
    if not chosen:
        print("nothing has failed")
        return 0
    retrial = try_again([records[digest] for digest in dict.fromkeys(chosen)], store, workers)
    lines = [f"made: {stage.label}" for stage in retrial.done]
    lines += failure_lines(
        (failure.failure_class, stage.label, failure.reason, log_path(store, stage.digest))
        for stage, failure in retrial.failed.items()
    )
    lines += [f"not made: {label}: {reason}" for label, reason in retrial.not_made.items()]
    print("\n".join(lines))
    return retrial.exit_code


def collect_garbage(store: Store, idle_days: float | None, *, really: bool) -> int:
    """Show what can go; remove it if `really`."""
    sizes = {garbage: weigh(garbage) for garbage in leftovers(store) + unneeded(store, idle_days)}
    if not sizes:
        print("nothing to remove")
        return 0
    print_garbage(sizes)
    total = size(sum(sizes.values()))
    if really:
        gone = remove_unneeded(store, idle_days) + collect(store)
        print(f"removed {len(gone)} of {len(sizes)}, {size(sum(sizes.get(g, 0) for g in gone))} of {total}")
    else:
        print(f"{total} in all; nothing was touched. Remove it with --yes.")
        print("Models of a sweep that was interrupted are listed too: finish it first to keep them.")
    return 0


def print_garbage(sizes: Mapping[Garbage, int]) -> None:
    """Print a table, the largest first."""
    console = Console(highlight=False)
    console.width = console.width if console.is_terminal else WIDTH
    order = sorted(sizes, key=lambda garbage: (-sizes[garbage], garbage.path))
    table = Table("where", "what", "bytes", "why")
    for garbage in order[:ROWS]:
        where = f"{garbage.path.parent.name}/{garbage.path.name[:12]}"
        table.add_row(where, garbage.label, size(sizes[garbage]), garbage.why)
    if len(order) > ROWS:
        rest = sum(sizes[garbage] for garbage in order[ROWS:])
        table.add_row("...", f"{len(order) - ROWS} more", size(rest), "")
    console.print(table)


class OneOrTwo(argparse.Action):
    """Takes one or two words."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Refuse more, in argparse's way."""
        assert isinstance(values, list)
        if len(values) > 2:
            parser.error(f"one or two digests, got {len(values)}")
        setattr(namespace, self.dest, values)


def positive(text: str) -> int:
    """Read a whole number from 1 on, in argparse's way."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, got {number}")
    return number


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main(sys.argv[1:]))
