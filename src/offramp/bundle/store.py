"""Bundles on disk: written whole or not at all, read as if an enemy had written them."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from offramp.bundle import manifest as manifests
from offramp.bundle.bundle import Bundle, check_fit
from offramp.bundle.manifest import Manifest, PartRecord
from offramp.bundle.names import PARTS, Place, file_name, inner_place, is_file_of_a_part, is_part
from offramp.bundle.part import Part
from offramp.bundle.records import bundle_of, codec_of, manifest_of, quantisation_of
from offramp.bundle.tensors import from_bytes, most_bytes, to_bytes
from offramp.bundle.terms import Terms, terms_of
from offramp.errors import BundleError, OfframpError

MANIFEST = "manifest.json"

# NOFOLLOW: a part is a file of this folder, never a link out of it. NONBLOCK: a pipe must not make us wait.
_OPEN_FLAGS = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
    _OPEN_FLAGS |= getattr(os, _flag, 0)


def write(bundle: Bundle, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Put the bundle into the folder `path`: all of it, or nothing.

    The files are written and synced in a sibling folder which then takes the name. With `overwrite` the old
    bundle steps aside first: between two renames there is none, but never half of one.

    Args:
        overwrite: replace what is at `path`, which must be a bundle and nothing else.

    Raises:
        BundleError: something is at `path` already, the system refuses, or evidence or training are not JSON.
    """
    folder = Path(os.path.abspath(path))
    files = _files(bundle)
    check_writable(folder, overwrite=overwrite)
    replaces = os.path.lexists(folder)
    token = secrets.token_hex(4)
    fresh = folder.with_name(f".{folder.name}.new-{token}")
    stale = folder.with_name(f".{folder.name}.old-{token}")
    try:
        try:
            _write_folder(fresh, files)
            if replaces:
                folder.rename(stale)
            fresh.rename(folder)
            _sync(folder.parent)
        finally:  # whatever ended it, a full disk or Ctrl-C: one bundle under its name, and nothing beside it
            if stale.exists() and not folder.exists():
                stale.rename(folder)
            _remove(fresh)
            _remove(stale)
    except OSError as error:
        raise BundleError(
            f"{folder}: cannot be written: {error.strerror}; check the folder it is to lie in"
        ) from error


def check_writable(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise BundleError where `write` would refuse, as far as can be told without writing.

    For asking before long work.
    """
    folder = Path(os.path.abspath(path))
    parent = folder.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        number = errno.EACCES if parent.is_dir() else errno.ENOTDIR if parent.exists() else errno.ENOENT
        raise BundleError(
            f"{folder}: cannot be written: {os.strerror(number)}; check the folder it is to lie in"
        )
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise BundleError(
            f"{folder}: exists already; give another path, or overwrite=True to replace a bundle"
        )
    _check_replaceable(folder)


def read(path: str | os.PathLike[str], *, parts: Sequence[str] | None = None) -> Bundle:
    """The bundle in the folder `path`, with these parts only: the files of others may be absent.

    Nothing in the folder is trusted and nothing of it is executed. Memory is in proportion to the files.

    Args:
        parts: None for all that the manifest lists.

    Raises:
        BundleError: a file that is missing, damaged, altered, of another version or not a plain file of this
            folder, or parts that do not fit. The message names the file.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    wanted = tuple(manifest.parts) if parts is None else parts
    for name in wanted:
        if name not in manifest.parts:
            raise BundleError(
                f"{folder / MANIFEST}: lists no part {name!r}; ask for {', '.join(manifest.parts)}"
            )
    loaded = {
        name: _read_part(folder, name, manifest.parts[name]) for name in manifest.parts if name in wanted
    }
    try:
        return bundle_of(manifest, loaded)
    except OfframpError as error:
        raise BundleError(f"{folder / MANIFEST}: {error}") from error


def read_terms(path: str | os.PathLike[str]) -> Terms:
    """What the manifest in the folder `path` says about crossing the wire; the file of no part need be here.

    Raises:
        BundleError: no manifest that can be read, or one that does not tell.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    try:
        return terms_of(manifest)
    except OfframpError as error:
        raise BundleError(f"{folder / MANIFEST}: {error}") from error


def present(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The parts that `read` can be asked for: the manifest lists them and their files are here.

    Raises:
        BundleError: no manifest that can be read.
    """
    folder = Path(path)
    listed = _read_manifest(folder).parts
    return tuple(name for name in listed if os.path.lexists(folder / file_name(name)))


def check_exits(path: str | os.PathLike[str], place: Place) -> None:
    """Raise BundleError unless the files of all exits inside head, or tail, are here.

    Without one of them other exits answer, and no threshold was certified for that.
    """
    folder = Path(path)
    for name in _read_manifest(folder).parts:
        where = inner_place(name)
        if where is not None and where[0] == place and not os.path.lexists(folder / file_name(name)):
            raise BundleError(
                f"{folder / file_name(name)}: not here, and the exits' threshold holds for all of them"
                f" together; copy it beside the {place}"
            )


def part_bytes(path: str | os.PathLike[str], part: str) -> int:
    """Size on disk of one part's file, in bytes.

    Raises:
        BundleError: no part has this name, or its file is not here.
    """
    if not is_part(part):
        raise BundleError(f"no part is called {part!r}; use one of {', '.join(PARTS)}, or as in exit-head-2")
    file = Path(path) / file_name(part)
    try:
        return file.lstat().st_size
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}; copy this part's file into the folder") from error


def _files(bundle: Bundle) -> dict[str, bytes]:
    """File name -> content, parts first."""
    contents = {name: to_bytes(part) for name, part in bundle.parts.items()}
    records = {
        name: PartRecord(part.layers, len(contents[name]), hashlib.sha256(contents[name]).hexdigest())
        for name, part in bundle.parts.items()
    }
    return {file_name(name): content for name, content in contents.items()} | {
        MANIFEST: manifests.encode(manifest_of(bundle, records))
    }


def _read_manifest(folder: Path) -> Manifest:
    file = folder / MANIFEST
    data = _read_file(file, at_most=manifests.MAX_BYTES)
    try:
        manifest = manifests.decode(data)
        layers = {name: record.layers for name, record in manifest.parts.items()}
        check_fit(
            manifest.preprocessing,
            manifest.classes,
            layers,
            codec=codec_of(manifest),
            encoder=manifest.encoder_digest or "",
            quantisation=quantisation_of(manifest),
        )
    except OfframpError as error:
        raise BundleError(f"{file}: {error}") from error
    return manifest


def _read_part(folder: Path, name: str, record: PartRecord) -> Part:
    file = folder / file_name(name)
    most = most_bytes(record.layers)
    if record.n_bytes > most:  # a hole of any size takes no room on disk, and would take it in memory
        raise BundleError(
            f"{file}: {record.n_bytes} bytes by the manifest, and its layers take at most {most}; get the"
            " bundle from whoever trained it"
        )
    data = _read_file(file, exactly=record.n_bytes)
    found = hashlib.sha256(data).hexdigest()
    if found != record.sha256:
        raise BundleError(
            f"{file}: SHA-256 {found[:12]}, the manifest says {record.sha256[:12]}: damaged, altered or of"
            " another bundle; copy it again together with the manifest"
        )
    try:
        return from_bytes(record.layers, data)
    except OfframpError as error:
        raise BundleError(f"{file}: {error}; get the bundle from whoever trained it") from error


def _read_file(file: Path, *, at_most: int | None = None, exactly: int | None = None) -> bytes:
    """All bytes of a plain file, whose size is checked before any is read."""
    try:
        with open(file, "rb", opener=lambda name, _: os.open(name, _OPEN_FLAGS)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{file}: not a plain file; a bundle holds plain files only")
            if exactly is not None and status.st_size != exactly:
                raise BundleError(
                    f"{file}: {status.st_size} bytes, the manifest says {exactly}: truncated, or of another"
                    " bundle; copy it again together with the manifest"
                )
            if at_most is not None and status.st_size > at_most:
                raise BundleError(f"{file}: {status.st_size} bytes; a manifest has at most {at_most}")
            return stream.read(status.st_size)
    except MemoryError as error:
        raise BundleError(
            f"{file}: {status.st_size} bytes, more than this machine has memory for; use one that has"
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(
                f"{file}: a symbolic link; a bundle holds plain files only, copy it here"
            ) from error
        raise BundleError(
            f"{file}: {error.strerror}; give the folder of a bundle and copy this file into it"
        ) from error


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        with open(folder / name, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the folder's entries survive a power cut, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_replaceable(folder: Path) -> None:
    """Raise BundleError unless all that replacing this folder would delete is a bundle."""
    refusal = f"{folder}: not replaced, because"
    if folder.is_symlink() or not folder.is_dir():
        raise BundleError(f"{refusal} it is no folder; give another path")
    names = {entry.name for entry in folder.iterdir()} - {MANIFEST}
    if strangers := {name for name in names if not is_file_of_a_part(name)}:
        raise BundleError(
            f"{refusal} it holds {sorted(strangers)[0]!r}, which is no part of a bundle; give another path"
        )
    try:
        _read_manifest(folder)
    except BundleError as error:
        raise BundleError(
            f"{refusal} it is no bundle that can be read ({error}); delete it yourself"
        ) from error


def _remove(folder: Path) -> None:
    """Delete a folder of ours, if it is there; only names that we write, so never anybody else's file."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.name == MANIFEST or is_file_of_a_part(entry.name):
                entry.unlink()
        folder.rmdir()
