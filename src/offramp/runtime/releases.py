"""Bundles on disk that are served, and read again when their files have changed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from offramp.bundle import MANIFEST, Bundle, check_exits, present, read
from offramp.errors import ConfigError, OfframpError
from offramp.runtime.models import Model, models_of

logger = logging.getLogger(__name__)

_Stamp = tuple[tuple[str, int, int, int], ...]


class BundleFolder:
    """The models of a bundle on disk, and those of the next one that takes its place.

    Args:
        models_from: a bundle to its models, see `models_of`; it may raise whatever it likes.

    Raises:
        BundleError: a bundle that cannot be read.
        ConfigError: one without a tail.
    """

    def __init__(
        self, path: str | os.PathLike[str], models_from: Callable[[Bundle], Iterable[Model]] = models_of
    ) -> None:
        self.path = Path(path)
        self._models_from = models_from
        self._seen = self._before = self._stamp()
        self.models, self._digest = self._read(), self._digest_now()

    def newer(self) -> tuple[Model, ...] | None:
        """The models of another bundle, once it lies there whole; None while there is none.

        The files must be the same at two calls, for a copy may be under way. What cannot be used is told
        once, and the same bundle again is no other.

        Raises:
            BundleError, ConfigError: as above.
        """
        stamp, before = self._stamp(), self._before
        self._before = stamp
        if stamp == self._seen or stamp != before:
            return None
        self._seen = stamp
        models, digest = self._read(), self._digest_now()
        # Where it was replaced while it was read, the next calls see it whole.
        if self._stamp() != stamp or digest == self._digest:
            return None
        self._digest, self.models = digest, models
        return models

    def _read(self) -> tuple[Model, ...]:
        parts = present(self.path)
        if "tail" not in parts:
            raise ConfigError(f"{self.path}: no tail to serve; copy tail.safetensors into it, or give --tail")
        check_exits(self.path, "tail")
        return tuple(self._models_from(read(self.path, parts=parts)))

    def _digest_now(self) -> str:
        """Of the manifest, which has those of the parts, and of which parts are here."""
        try:
            parts = present(self.path)
            manifest = (self.path / MANIFEST).read_bytes()
        except (OSError, OfframpError):  # reading it will tell
            return ""
        return sha256(b"\0".join([manifest, *(part.encode() for part in parts)])).hexdigest()

    def _stamp(self) -> _Stamp:
        try:
            with os.scandir(self.path) as entries:
                found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError:  # likewise
            return ()
        return tuple(sorted((name, s.st_mtime_ns, s.st_size, s.st_ino) for name, s in found))


Publish = Callable[[tuple[Model, ...], BundleFolder], Mapping[str, str]]


async def follow(folders: Sequence[BundleFolder], publish: Publish, *, every_s: float) -> None:
    """Looks at the folders again and again, until cancelled; each bundle is read outside the event loop.

    Args:
        publish: takes the models of a newer bundle into service, and tells the version of each.
    """
    while True:
        await asyncio.sleep(every_s)
        for folder in folders:
            try:
                models = await asyncio.to_thread(folder.newer)
                versions = {} if models is None else publish(models, folder)
            except OfframpError as error:
                logger.warning("%s; what was there before stays in use", error)
            except Exception:  # of a callable that makes models, which is the caller's
                logger.exception("%s: no models come of it; what was there before stays in use", folder.path)
            else:
                for name, version in versions.items():
                    logger.info("read again: %s; %s is version %s", folder.path, name, version)
