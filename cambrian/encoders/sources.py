"""Where pretrained weights come from: the Hugging Face hub, an address, or a copy on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from cambrian.errors import UserError
from cambrian.local_weights import checksums, fingerprint, weight_files

MAIN = "main"
CONFIGURATION = ("config.json", "preprocessor_config.json")

_DIFFUSERS_WEIGHTS = ("*/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")
WANTED: Mapping[str, Sequence[Sequence[str]]] = {
    "timm": (("config.json", "model.safetensors"), ("pytorch_model.bin",), ("open_clip_*model.*",)),
    "transformers": ((*CONFIGURATION, "model*.safetensors*"), ("pytorch_model*.bin*",)),
    "diffusers": (("scheduler/*.json", "tokenizer/*", "*/config.json", *_DIFFUSERS_WEIGHTS),),
}
"""Kind of architecture -> patterns of files in a hub repository; later ones if no weights came yet."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Pretrained weights that are on this machine."""

    path: Path
    """File or directory."""
    name: str
    """Id on the hub, address, or the name of a local file."""
    revision: str | None
    """Commit of the hub repository."""

    def facts(self) -> dict[str, Any]:
        """Describe them for the provenance: where from, which commit, and the SHA-256 of every file."""
        return {"source": self.name, "revision": self.revision, "files": checksums(self.path)}


def locate(kind: str, objective: Mapping[str, Any], *, copies: Mapping[str, str], download: bool) -> Source:
    """Find the weights that a recipe names.

    Args:
        kind: of the architecture.
        objective: `weights`, the fingerprint of a copy on this machine; or `hub` and `revision`; or `url`.
        copies: fingerprint -> place of such a copy.
        download: whether what is not here yet may be fetched.

    Raises:
        UserError: if they are not here and may not or cannot be fetched, or a copy is no longer what it was.
    """
    if "weights" in objective:
        return _copy(objective["weights"], copies)
    if "hub" in objective:
        return _from_hub(kind, objective["hub"], objective.get("revision", MAIN), download=download)
    if "url" in objective:
        return _from_url(objective["url"], download=download)
    raise UserError("no address of these weights is known: get them and set the encoder's `checkpoint`")


def snapshot(name: str, revision: str, wanted: Sequence[str], *, download: bool) -> Path:
    """Find the folder of a commit of a hub repository in the local cache, or fetch files into it.

    Raises:
        UserError: if it is not here and may not or cannot be fetched.
    """
    try:
        folder = snapshot_download(
            name, revision=revision, allow_patterns=list(wanted), local_files_only=not download
        )
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"hub:{name} at {revision} is not on this machine; runtime.download=true fetches it, or set the "
            "encoder's `checkpoint` to a copy"
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise UserError(f"hub:{name} at {revision} cannot be fetched: {error}") from error
    return Path(folder)


def _from_hub(kind: str, name: str, revision: str, *, download: bool) -> Source:
    first, *others = WANTED[kind]
    folder = snapshot(name, revision, first, download=download)
    for wanted in others if download else ():
        if any(path.suffix != ".json" for path in weight_files(folder)):
            break
        folder = snapshot(name, revision, wanted, download=True)
    return Source(path=folder, name=name, revision=folder.name)


def _copy(expected: str, copies: Mapping[str, str]) -> Source:
    if expected not in copies:
        raise UserError(f"no copy of the weights {expected[:12]} is known; set the encoder's `checkpoint`")
    path = Path(copies[expected])
    if fingerprint(path) != expected:
        raise UserError(f"{path} has changed since the sweep was planned; plan it again")
    return Source(path=path, name=path.name, revision=None)


def _from_url(url: str, *, download: bool) -> Source:
    """Find a file where torch.hub keeps what it fetched from addresses."""
    parts = urlsplit(url)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(parts.path).name
    if not path.is_file():
        if not download or parts.scheme != "https":
            raise UserError(
                f"{url} is not on this machine; runtime.download=true fetches it (https only), or set the "
                "encoder's `checkpoint` to a copy"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=False)
        except URLError as error:
            raise UserError(f"{url} cannot be fetched: {error}") from error
    return Source(path=path, name=url, revision=None)
