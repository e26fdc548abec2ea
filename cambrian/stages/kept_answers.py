"""Answers kept on disk, so that the same model is not asked the same again.

A file for each model, of one line per answer that begins with a checksum. Any number of processes read it and
append to it at the same time. A line that was not written wholly, or is damaged, is not read; the question is
then asked again. The files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from cambrian.data.pictures import View
from cambrian.model.blocks import Request
from cambrian.precision import compute_type
from cambrian.source_code import source_fingerprint
from cambrian.stages.base import Artifact, digest_of

CODE = ("cambrian.model.assembly", "cambrian.model.generation")
"""What turns weights, questions and images into answers."""
LIBRARIES = ("numpy", "timm", "tokenizers", "torch", "transformers")


class KeptAnswers:
    """The answers of one model, by `answer_key`."""

    def __init__(self, folder: Path, model: str) -> None:
        """Read the answers of the model with the fingerprint `model`; `folder` is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{model}.answers"
        self._known = dict(_read(self._path)) if self._path.is_file() else {}

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """Give the raw answers that are known, by key."""
        return {key: self._known[key] for key in keys if key in self._known}

    def keep(self, answers: Mapping[str, str]) -> None:
        """Add raw answers by key, on disk too."""
        self._known |= answers
        # After a line that a killed process left unfinished, a new one begins.
        text = "\n".join(["", *(_line(key, raw) for key, raw in answers.items()), ""])
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, text.encode("ascii"))
        finally:
            os.close(file)


def model_fingerprint(inputs: Mapping[str, Artifact], device: str) -> str:
    """Hash of all that decides a model's answers but for what it is asked.

    These are the weights and all else in the files of its parts, by their checksums (who loaded `inputs` has
    verified them), the type of numbers that `device` computes in, the code and the libraries.
    """
    return digest_of(
        {
            "files": {role: artifact.manifest["files"] for role, artifact in inputs.items()},
            "device": device.partition(":")[0],
            "type": str(compute_type(device)),
            "code": [source_fingerprint(module) for module in CODE],
            "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        }
    )


def answer_key(request: Request, image: str, max_new_tokens: int) -> str:
    """Hash of what is asked. `image` is the picture's `pixels_digest`, empty if none is shown."""
    return digest_of(
        {
            "question": request.question,
            "image": image,
            "size": request.size if image else None,
            "candidates": request.candidates,
            "max_new_tokens": max_new_tokens,
        }
    )


def pixels_digest(pictures: Mapping[View, np.ndarray], place: int, views: Sequence[View]) -> str:
    """Hash of a picture as each encoder of a model sees it."""
    found = hashlib.sha256()
    for view in views:
        found.update(repr(tuple(view)).encode())
        found.update(np.ascontiguousarray(pictures[view][place]).data)
    return found.hexdigest()


def _line(key: str, raw: str) -> str:
    entry = f"{key} {json.dumps(raw)}"
    return f"{_checksum(entry)} {entry}"


def _read(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_bytes().split(b"\n"):
        checksum, _, entry = line.decode("ascii", "replace").partition(" ")
        if checksum == _checksum(entry):
            key, _, raw = entry.partition(" ")
            yield key, json.loads(raw)


def _checksum(entry: str) -> str:
    return hashlib.sha256(entry.encode("ascii", "replace")).hexdigest()[:16]
