"""Deleting what people uploaded and were given, after a time: nobody has to ask for it, and no disk fills up."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from autochrome.ui.limits import Limits


def sweep(folder: Path, *, keep_seconds: float, max_bytes: int, kept: Collection[Path] = ()) -> int:
    """Delete the files of a folder that are too old, then the oldest until the rest is small enough.

    Gradio's own `delete_cache` knows only the files that it handed out: what a cancelled or failed run wrote stays.

    Args:
        folder: walked with all below it; empty folders go too.
        keep_seconds: age since the last change, reckoned by the inode, so that an old file's copy is new.
        max_bytes: of all that stays.
        kept: never deleted.

    Returns:
        How many files were deleted.
    """
    now = time.time()
    found = []
    for parent, folders, names in os.walk(folder):  # unlike rglob, it passes over a folder that goes in the meantime
        for path in (Path(parent, name) for name in (*folders, *names)):
            with suppress(OSError):  # it went in the meantime
                state = path.lstat()
                if not path.is_dir() or path.is_symlink():
                    found.append((state.st_ctime, state.st_size, path))
    total, deleted = sum(size for _, size, _ in found), 0
    for changed, size, path in sorted(found):
        if now - changed <= keep_seconds and total <= max_bytes:
            break
        if path in kept:
            continue
        with suppress(OSError):
            path.unlink()
            total -= size
            deleted += 1
            path.parent.rmdir()  # succeeds for an empty one alone
    return deleted


def sweeping(limits: Limits) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan for Gradio's application: while it serves, its folder is swept."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(_sweep_for_ever(app, limits))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return lifespan


async def _sweep_for_ever(app: Any, limits: Limits) -> None:
    while True:
        await asyncio.sleep(limits.clean_every_seconds)
        blocks = app.get_blocks().blocks.values()
        await asyncio.to_thread(
            sweep,
            Path(get_upload_folder()).resolve(),
            keep_seconds=limits.keep_files_seconds,
            max_bytes=limits.max_kept_bytes,
            kept={Path(path).resolve() for block in blocks for path in block.keep_in_cache},
        )
