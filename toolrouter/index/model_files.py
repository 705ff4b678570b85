"""The files of the built-in model: where they lie and whether they are what the manifest says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from toolrouter.errors import ModelError

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
MAPS: Final = "maps.npz"
"""What turns the encoder's vectors further, queries and tools each in their own way; a model may do without."""
FIX: Final = "Reinstall toolrouter, or choose another model under toolrouter.embedder in the config."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the model says about itself."""

    name: str
    version: str
    dimensions: int
    max_tokens: int
    query_prefix: str
    document_prefix: str
    sizes: dict[str, int]
    """By file; those of the optional files that the model has are among them."""
    sha256: dict[str, str]

    @property
    def identity(self) -> str:
        """What tells apart two models that somebody gave the same version: of all files that vectors depend on."""
        hashes = [self.sha256[name] for name in (MODEL, MAPS) if name in self.sha256]
        return hashes[0][:8] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()[:8]


def builtin_folder() -> Path:
    return Path(str(files("toolrouter"))) / "data" / "model"


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest and checks that the files are there in full, without reading them.

    Raises:
        ModelError: a file is missing, cut short or unreadable; the message names it and the fix.
    """
    path = folder / MANIFEST
    try:
        manifest = _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelError(f"The built-in model is missing: there is no {path}. {FIX}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The manifest {path} cannot be read ({error}). {FIX}") from error
    for name, size in manifest.sizes.items():
        found = _size(folder / name)
        if found != size:
            state = "missing" if found is None else f"{found} bytes long in place of {size}"
            raise ModelError(f"The model file {folder / name} is {state}. {FIX}")
    return manifest


def verify_files(folder: Path) -> None:
    """Reads every file and compares its hash with the manifest's. Raises ModelError."""
    for name, expected in read_manifest(folder).sha256.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise ModelError(f"The model file {folder / name} is corrupt: its hash is not the manifest's. {FIX}")


def _parse(document: dict[str, Any]) -> Manifest:
    entries: dict[str, dict[str, Any]] = document["files"]
    names = [MODEL, TOKENIZER, *([MAPS] if MAPS in entries else [])]
    return Manifest(
        name=str(document["name"]),
        version=str(document["version"]),
        dimensions=int(document["dimensions"]),
        max_tokens=int(document["max_tokens"]),
        query_prefix=str(document.get("query_prefix", "")),
        document_prefix=str(document.get("document_prefix", "")),
        sizes={name: int(entries[name]["bytes"]) for name in names},
        sha256={name: str(entries[name]["sha256"]) for name in names},
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
