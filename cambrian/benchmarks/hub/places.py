"""Where the data of the hub's benchmarks lie on this machine: a copy in the folder of data sets, or a cache.

Planning imports this module; nothing here reaches the network but `fetch`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.source import Source
from cambrian.errors import DataError, UserError
from cambrian.local_weights import checksum

FOLDER = "benchmarks"
"""Below the folder of data sets."""
_CARD = "README.md"
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(.*)")


def find_copy(data: Path | None, benchmark: str) -> Path | None:
    """Give the local copy of a benchmark, None if there is none."""
    if data is None:
        return None
    place = data / FOLDER / benchmark
    return place if place.is_dir() else None


def contents_of(rows: Iterable[str], data: Path | None) -> dict[str, str]:
    """Fingerprints of the benchmarks of which there are local copies: what they are known by."""
    copies = ((name, find_copy(data, name)) for name in rows)
    return {name: _content(copy) for name, copy in copies if copy is not None}


@lru_cache(maxsize=64)
def _content(copy: Path) -> str:
    """What one command sees of a copy; the stage that reads it sees to it that it is still the same."""
    return fingerprint(copy)


def fingerprint(copy: Path) -> str:
    """Hash of all files of a folder with their names; hidden ones, such as a download's notes, do not count.

    Raises:
        UserError: if there is none.
    """
    names = (path.relative_to(copy) for path in copy.rglob("*") if path.is_file())
    visible = sorted(
        (name.as_posix(), name) for name in names if not any(part[0] == "." for part in name.parts)
    )
    if not visible:
        raise UserError(f"{copy} is empty; put a copy of the benchmark there, or remove it")
    lines = [f"{checksum(copy / name)} {text}\n" for text, name in visible]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_data(row: HubBenchmark, data: Path | None, content: str) -> Path | None:
    """Give the folder that holds the data of a benchmark: its copy, if `content` names one, else the cache's.

    Raises:
        DataError: if the copy is not what it was when the evaluation was planned.
    """
    if not content:
        return find_cached(row.data, row.pictures.config)
    copy = find_copy(data, row.id)
    if copy is not None and fingerprint(copy) != content:
        raise DataError(f"{row.id}: {copy} has changed since this evaluation was planned; start again")
    return copy


def find_cached(source: Source, *more_configs: str) -> Path | None:
    """Give the folder in Hugging Face's cache that holds all of `source`, None if anything is missing."""
    from huggingface_hub import snapshot_download  # a third of a second, for real benchmarks alone
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            source.hub, repo_type="dataset", revision=source.revision, local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    folder = Path(found)
    wanted = [*source.configs, *filter(None, more_configs)]
    if source.file:
        return folder if (folder / source.file).is_file() else None
    return folder if all(_is_whole(folder, source.split, config) for config in wanted) else None


def fetch(source: Source, *more_configs: str) -> Path:
    """Download what is needed of `source` into Hugging Face's cache.

    Raises:
        UserError: if that fails.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    def get(patterns: Sequence[str] | None) -> Path:
        return Path(
            snapshot_download(
                source.hub,
                repo_type="dataset",
                revision=source.revision,
                allow_patterns=None if patterns is None else list(patterns),
            )
        )

    try:
        if source.file:
            return get(None)
        folder = get([_CARD])
        configs = [*source.configs, *filter(None, more_configs)]
        patterns = [file_patterns(folder, source.split, config) for config in configs]
        # A card that does not say which files a split has leaves only all of them.
        return get([_CARD, *(name for names in patterns for name in names)] if all(patterns) else None)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(f"{source.hub} cannot be fetched: {error}") from error


def file_patterns(folder: Path, split: str, config: str) -> list[str]:
    """Say which files the data set's card names for a split; none if the card does not tell.

    Raises:
        DataError: if the card is no YAML, or names another split or configuration.
    """
    configs = _card(folder).get("configs")
    if not isinstance(configs, list):
        return []
    known = {entry["config_name"]: entry for entry in configs if isinstance(entry, dict)}
    default = next((entry for entry in known.values() if entry.get("default")), None)
    entry = known.get(config) if config else default or known.get("default") or _only(known)
    if entry is None:
        raise DataError(f"{folder} has the configurations {', '.join(known)}, not '{config or 'default'}'")
    files = entry.get("data_files")
    if isinstance(files, str):
        return []
    splits = {one["split"]: one["path"] for one in files or () if isinstance(one, dict)}
    if splits and split not in splits:
        raise DataError(f"{folder} has the splits {', '.join(splits)}, not '{split}'")
    found = splits.get(split, [])
    return [found] if isinstance(found, str) else list(found)


def explain_absence(row: HubBenchmark, data: Path | None) -> str:
    """Say that a benchmark is not on this machine, and how to get it."""
    copy = f"{data or 'DIRECTORY'}/{FOLDER}/{row.id}"
    return (
        f"the benchmark '{row.id}' is not on this machine: fetch it with 'hf download {row.data.hub} "
        f"--repo-type dataset', put a copy into {copy}{'' if data else ' and say data=DIRECTORY'}, or let "
        "what is needed of it be fetched with runtime.download=true"
    )


def _card(folder: Path) -> Mapping[str, Any]:
    """The head of a data set's card; empty if there is none."""
    path = folder / _CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    try:
        read = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError as error:
        raise DataError(f"{path}: its head is no YAML ({error})") from error
    return read if isinstance(read, dict) else {}


def _only(known: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an entry of YAML
    return next(iter(known.values())) if len(known) == 1 else None


def _is_whole(folder: Path, split: str, config: str) -> bool:
    """Whether all files of a split are there; of shards, their names tell how many there have to be."""
    patterns = file_patterns(folder, split, config)
    if not patterns:
        return any(path.suffix in (".parquet", ".arrow") for path in folder.rglob("*"))
    found = [{path.as_posix() for path in folder.glob(pattern) if path.is_file()} for pattern in patterns]
    return all(names and all(_siblings(name) <= names for name in names) for names in found)


def _siblings(name: str) -> set[str]:
    shard = _SHARD.fullmatch(name)
    if shard is None:
        return set()
    stem, _, count, end = shard.groups()
    return {f"{stem}-{number:05d}-of-{count}{end}" for number in range(int(count))}
