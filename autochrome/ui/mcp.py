"""A repair of Gradio's MCP server, which loses pictures: see `repair_mcp`."""

from typing import Any

from anyio.to_thread import run_sync
from gradio.mcp import GradioMCPServer


def repair_mcp() -> None:
    """Let a tool that returns several values give each of them, as it does for clients that ask for progress.

    In Gradio 6.31 one that does not ask gets the values as the text of one tuple, and so no picture. The test of
    docs/api.md's MCP example would notice where this is no longer needed or no longer works.
    """
    GradioMCPServer._execute_tool_without_progress = _outputs


async def _outputs(server: GradioMCPServer, job: Any) -> list[Any]:
    del server
    result = await run_sync(job.result)
    return list(result) if isinstance(result, tuple) else [result]
