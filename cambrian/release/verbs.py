"""What the verbs of `python -m cambrian.release` do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

import torch

from cambrian.directories import new_directory
from cambrian.release.chat import answer_questions
from cambrian.release.directory import save_model
from cambrian.release.llava import export
from cambrian.release.released import import_checkpoint
from cambrian.release.sources import find_encoder, find_model
from cambrian.runtime import Runtime
from cambrian.stages.device import prepare_device
from cambrian.sweep.store import Store

CPU = "cpu"


def save(given: argparse.Namespace, store: Store) -> None:
    """Write a model as one directory."""
    found = find_model(given.model, store)
    with new_directory(given.directory) as place:
        save_model(found.load(CPU), place, found.facts())
    print(f"saved: {given.directory}")


def to_llava(given: argparse.Namespace, store: Store) -> None:
    """Write a model for transformers."""
    found = find_model(given.model, store)
    difference = export(found.load(CPU), given.directory, found.facts())
    print(
        f"exported: {given.directory} (read by transformers, its logits differ by at most {difference:.1e})"
    )


def take_in(given: argparse.Namespace, store: Store) -> None:
    """Write a released checkpoint in this project's form."""
    encoders = [find_encoder(name, store) for name in given.encoders]
    import_checkpoint(given.checkpoint, given.directory, encoders, given.template)
    print(f"imported: {given.directory}")


def chat(given: argparse.Namespace, store: Store) -> None:
    """Answer questions about an image."""
    runtime = Runtime(store=store.root, device=given.device, threads=torch.get_num_threads())
    device = prepare_device(runtime)
    model = find_model(given.model, store).load(device)
    questions = given.questions or read_questions()
    for said in answer_questions(model, given.image, questions, given.max_new_tokens):
        print(said, flush=True)


def read_questions() -> Iterator[str]:
    """Give the lines of the standard input that are not empty; asks for them at a terminal."""
    if sys.stdin.isatty():
        print("One question per line; Ctrl-D ends.", file=sys.stderr)
    yield from (line.strip() for line in sys.stdin if line.strip())


VERBS: Mapping[str, Callable[[argparse.Namespace, Store], None]] = {
    "save": save,
    "export": to_llava,
    "import": take_in,
    "chat": chat,
}
