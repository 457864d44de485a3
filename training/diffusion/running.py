"""Running the script as a child: its progress passes through, interrupts stop it cleanly, its last words are kept."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from autochrome.errors import Cancelled, ModelError

_KEPT_CHUNKS = 400
_SHOWN_LINES = 12
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.5
_NOT_A_NUMBER = re.compile(rb"Steps:[^\r\n]*loss=nan")
_DIVERGED = (
    "the loss became NaN, and what follows would be worthless, so the script was stopped; start again with a lower "
    "arguments.learning_rate, from a checkpoint before that (init_from), or without bf16 or fp16"
)
_SCRIPT_EXIT = re.compile(r" (?:returned non-zero exit status (\d+)|died with <Signals\.\w+: (\d+)>)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    exit_code: int
    """As a shell would give it: 128 + N where signal N ended it."""
    last_lines: list[str]
    """The end of what it wrote to stderr, without progress bars."""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end; what it writes to stderr comes out as it is written, unbuffered.

    `environment` is added to ours.

    The child is a process group of its own: whoever interrupts or ends us, the whole group is interrupted once.

    Raises:
        Cancelled: we were interrupted (Ctrl-C) or asked to end (SIGTERM); the child has stopped by then.
        ModelError: the script's progress bar says that the loss is not a number; the child has stopped by then.
    """
    # A second busy process makes spinning threads several times slower; Python's own buffer would hold lines back.
    variables = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    with _terminable():
        child = _start(command, variables)
        chunks: deque[bytes] = deque(maxlen=_KEPT_CHUNKS)
        reader = threading.Thread(target=_pass_on, args=(child, chunks), daemon=True)
        reader.start()
        try:
            while (code := child.poll()) is None:
                if chunks and _NOT_A_NUMBER.search(chunks[-1]):  # the example scripts would go on for hours
                    _stop(child, reader)
                    raise ModelError(_DIVERGED)
                reader.join(timeout=_LOOK_EVERY_S)
        except KeyboardInterrupt:
            _stop(child, reader)
            raise Cancelled("stopped; the same command with --resume goes on from the last checkpoint") from None
        finally:
            reader.join(timeout=5)
            if child.stderr is not None:
                child.stderr.close()
    text = b"".join(chunks).decode("utf-8", "replace")
    return Finished(exit_code(code, text), last_lines(text))


def exit_code(code: int, text: str) -> int:
    """The script's own exit code: `accelerate launch` ends with 1 whatever it was, and says it in its last line."""
    if found := _SCRIPT_EXIT.findall(text):
        status, number = found[-1]
        return int(status) if status else 128 + int(number)
    return code if code >= 0 else 128 - code


def last_lines(text: str) -> list[str]:
    """The last lines that say something: no progress bars, nor what `accelerate launch` adds to a script's failure."""
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines()]
    if any(line.startswith("subprocess.CalledProcessError") for line in lines):
        starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
        lines = lines[: starts[-1]] if starts else lines
    return [line for line in lines if line and "it/s" not in line and "s/it" not in line][-_SHOWN_LINES:]


def _start(command: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start the child so that it can be interrupted, even where we cannot: shells let background jobs ignore Ctrl-C."""
    ignored = _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, env=environment, start_new_session=os.name == "posix", bufsize=0
        )
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _pass_on(child: "subprocess.Popen[bytes]", chunks: "deque[bytes]") -> None:
    assert child.stderr is not None
    out = getattr(sys.stderr, "buffer", None)
    while chunk := child.stderr.read(4096):
        chunks.append(chunk)
        if out is not None:
            out.write(chunk)
            out.flush()
        else:  # a replaced stderr, which takes text only
            sys.stderr.write(chunk.decode("utf-8", "replace"))


def _stop(child: "subprocess.Popen[bytes]", reader: threading.Thread) -> None:
    """Interrupt the child's group, then end it, then kill it.

    Everybody in it is gone when nobody holds the other end of the reader's pipe any more: `accelerate launch` itself
    goes before the script does.
    """
    posix = os.name == "posix"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL) if posix else (signal.SIGTERM,):
        try:
            if posix:
                os.killpg(child.pid, number)
            else:
                child.terminate()
            reader.join(timeout=_PATIENCE_S)
        except ProcessLookupError:
            break
        except KeyboardInterrupt:  # an impatient second Ctrl-C goes one signal further
            continue
        if not reader.is_alive():
            break
    child.wait()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM acts as Ctrl-C does; only a process's first thread may ask for that."""
    if not _in_main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
