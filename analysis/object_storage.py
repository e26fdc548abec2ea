"""Results of a store in object storage, brought to this machine for as long as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from analysis.errors import AnalysisError


@contextmanager
def brought_here(url: str, names: Sequence[str], more: Sequence[str] = ()) -> Iterator[Path]:
    """Give a directory with the files `names` of all evaluations below `url`, removed at the end.

    It also has files that fit a pattern of `more`, such as `failed/*.json`, each below one folder.

    Credentials are those that the client of the storage finds by itself.

    Raises:
        AnalysisError: if they cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="cambrian-results-") as folder:
        try:
            _download(url.rstrip("/"), [*(f"evaluate/*/{name}" for name in names), *more], Path(folder))
        except Exception as error:  # each client of a storage has errors of its own
            why = f"{type(error).__name__}: {error}"
            raise AnalysisError(f"cannot read the results in {url}: {why}") from error
        yield Path(folder)


def _download(url: str, wanted: Sequence[str], folder: Path) -> None:
    import fsspec  # only where a URL is used

    system, root = fsspec.url_to_fs(url, use_listings_cache=False)
    tops = dict.fromkeys(pattern.partition("/")[0] for pattern in wanted)
    there = {path: path.removeprefix(f"{root}/") for top in tops for path in system.find(f"{root}/{top}")}
    found = [path for path, name in there.items() if any(fnmatch(name, pattern) for pattern in wanted)]
    places = [folder / there[path] for path in found]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    if found:
        system.get(found, [str(place) for place in places])
