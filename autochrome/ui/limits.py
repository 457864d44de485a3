"""What one server takes and keeps, in one place; every number is for all people together unless it says otherwise."""

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """The limits of a server. Pixels are limited where pictures are read: `autochrome.image.MAX_PIXELS`.

    Attributes:
        max_waiting: requests that may wait in the queue; one more is refused with a sentence.
        max_file_bytes: of one uploaded file, and of one picture fetched from an address.
        max_upload_bytes: of all the files that one request uploads.
        max_request_bytes: of a request that uploads nothing: settings and words.
        max_mcp_bytes: of a request to the MCP server, where a picture may travel inside the text.
        max_sessions: sessions whose page is remembered; each takes about half a megabyte of memory.
        keep_files_seconds: age at which uploads and results are deleted.
        max_kept_bytes: of all uploads and results; above it the oldest are deleted before their time.
        clean_every_seconds: time between two looks at what has to be deleted.
    """

    max_waiting: int = 40
    max_file_bytes: int = 100 * MEBIBYTE
    max_upload_bytes: int = 1024 * MEBIBYTE
    max_request_bytes: int = 4 * MEBIBYTE
    max_mcp_bytes: int = 32 * MEBIBYTE
    max_sessions: int = 200
    keep_files_seconds: float = 60 * 60
    max_kept_bytes: int = 10 * 1024 * MEBIBYTE
    clean_every_seconds: float = 5 * 60


DEFAULT_LIMITS = Limits()
