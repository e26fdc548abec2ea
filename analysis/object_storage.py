"""Results of a store in object storage, brought to this machine for as long as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import AnalysisError


@contextmanager
def brought_here(url: str, names: Sequence[str]) -> Iterator[Path]:
    """Give a directory with the files `names` of all evaluations below `url`, removed at the end.

    Credentials are those that the client of the storage finds by itself.

    Raises:
        AnalysisError: if they cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="cambrian-results-") as folder:
        try:
            _download(url.rstrip("/"), names, Path(folder))
        except Exception as error:  # each client of a storage has errors of its own
            why = f"{type(error).__name__}: {error}"
            raise AnalysisError(f"cannot read the results in {url}: {why}") from error
        yield Path(folder)


def _download(url: str, names: Sequence[str], folder: Path) -> None:
    import fsspec  # only where a URL is used

    system, root = fsspec.url_to_fs(url, use_listings_cache=False)
    found = [path for path in system.find(f"{root}/evaluate") if path.rpartition("/")[2] in names]
    places = [folder / path.removeprefix(f"{root}/") for path in found]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    if found:
        system.get(found, [str(place) for place in places])
