"""Share finished models, take in released ones, and talk with either."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cambrian.data.templates import TEMPLATES
from cambrian.errors import leaving_on_user_error
from cambrian.runtime import Runtime
from cambrian.sweep.__main__ import positive
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.place import locate_store

HELP = {
    "save": "write a finished model as one directory, with its model card",
    "export": "write a finished model for transformers, as a LlavaForConditionalGeneration, if it is one",
    "import": "write a released Cambrian-1 checkpoint and its encoders as `save` writes models",
    "chat": "answer questions about an image with a finished model",
}
MODEL = (
    "a finished `tune` stage of the store, by the name of its run, its label or the first characters of its "
    "digest, or a directory of `save` or `import`"
)


def main(arguments: Sequence[str]) -> int:
    """Run one verb; 0 if all is well, 130 after Ctrl-C.

    Raises:
        UserError: for what is not there or does not fit.
    """
    given = make_parser().parse_args(arguments)
    place = locate_store(given.store)
    store = open_store(Runtime(store=place.directory, bucket=place.url))
    from cambrian.release.verbs import VERBS  # late: torch, transformers and timm take seconds

    try:
        VERBS[given.verb](given, store)
    except KeyboardInterrupt:
        return 130
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line: one verb and its options."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.release", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store", metavar="PLACE", help="directory or URL; default: $CAMBRIAN_STORE, else runs/"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    save_, export_, import_, chat_ = (
        verbs.add_parser(verb, help=text, description=text, parents=[common]) for verb, text in HELP.items()
    )
    for verb in (save_, export_, chat_):
        verb.add_argument("model", metavar="MODEL", help=MODEL)
    import_.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="directory of the release")
    for verb in (save_, export_, import_):
        verb.add_argument("directory", metavar="DIR", type=Path, help="to be made")
    import_.add_argument(
        "encoders",
        metavar="ENCODER",
        nargs="+",
        help="a finished `encoder` stage of the store, or its directory; in the order of the checkpoint",
    )
    import_.add_argument(
        "--template", required=True, choices=sorted(TEMPLATES), help="in which its LLM was tuned"
    )
    chat_.add_argument("image", metavar="IMAGE", type=Path, help="file of an image")
    chat_.add_argument("questions", metavar="QUESTION", nargs="*", help="none: lines of the standard input")
    chat_.add_argument("--max-new-tokens", type=positive, default=128, metavar="N", help="default: 128")
    chat_.add_argument("--device", default="cpu", help="of torch; default: cpu")
    return parser


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main(sys.argv[1:]))
