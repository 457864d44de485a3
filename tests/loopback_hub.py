"""A small Hugging Face Hub on 127.0.0.1, for the real client: models, datasets and Spaces, kept in memory.

Create, preupload, LFS batch and upload, commit, tree, paths-info, info and resolve (with Range) speak as the Hub does,
refusals included. The client reads its address when it is imported: give `hub.environment(...)` to a subprocess.
"""

import base64
import hashlib
import json
import os
import re
import socket
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

WRITE_TOKEN, READ_TOKEN = "hf_loopbackWriteToken", "hf_loopbackReadToken"
USER = "user"
LFS_SUFFIXES = (".parquet", ".safetensors", ".bin", ".png", ".jpg", ".webp", ".zip")  # as the Hub's .gitattributes
PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Blob:
    """One file of a commit."""

    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """Git's object id; of an LFS file it is that of the pointer."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        content = pointer.encode() if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def describe(self, path: str) -> dict[str, Any]:
        lfs = {"lfs": {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}} if self.lfs else {}
        return {"type": "file", "path": path, "oid": self.oid, "size": len(self.content), **lfs}


@dataclass(frozen=True)
class Commit:
    """A state of a repository: all its files."""

    sha: str
    message: str
    files: Mapping[str, Blob]


@dataclass
class Repo:
    """A repository and its history, the oldest commit first."""

    kind: str
    id: str
    private: bool
    commits: list[Commit] = field(default_factory=list)

    def commit(self, message: str, files: Mapping[str, Blob]) -> Commit:
        """Add a commit to `main`."""
        sha = hashlib.sha1(f"{self.kind} {self.id} {len(self.commits)} {message}".encode()).hexdigest()
        self.commits.append(Commit(sha, message, dict(files)))
        return self.commits[-1]


@dataclass
class Fault:
    """Answers with `status` to `times` requests like it, after `skip` that go well; `Hub.faults` holds them."""

    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1_000_000


class RefusalError(Exception):
    """Becomes an answer as the Hub gives it."""

    def __init__(self, status: int, message: str, code: str = "", headers: Mapping[str, str] = MappingProxyType({})):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, "X-Error-Code": code, **headers}


class Hub:
    """The server's state, to look at and to disturb from a test."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, in order."""
        self.app = Starlette(routes=self._routes())

    def environment(self, home: Path, token: str | None = WRITE_TOKEN) -> dict[str, str]:
        """Environment variables with which a process talks to this Hub alone and caches in `home`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        secret = {} if token is None else {"HF_TOKEN": token}
        # Xet, the Hub's newer way to upload, is a service of its own that is not rebuilt here.
        local = {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {**kept, **secret, **local, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def files(self, kind: str, repo_id: str) -> dict[str, bytes]:
        """The newest state of a repository: path to content."""
        return {path: blob.content for path, blob in self.repos[kind, repo_id].commits[-1].files.items()}

    def sent(self, method: str, path: str) -> list[str]:
        """Paths of the requests of that method whose path has `path` (a regular expression) in it."""
        return [one for verb, one in self.requests if verb == method and re.search(path, one)]

    def _routes(self) -> list[Route]:
        api, repo = "/api/{kinds}/{owner}/{name}", "{owner}/{name}"
        doors: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "/api/repos/create", self._create),
            ("POST", "/api/validate-yaml", self._validate_yaml),
            ("GET", api, self._info),
            ("GET", f"{api}/revision/{{revision}}", self._info),
            ("POST", f"{api}/preupload/{{revision}}", self._preupload),
            ("POST", f"{api}/commit/{{revision}}", self._commit),
            ("GET", f"{api}/tree/{{revision}}", self._tree),
            ("GET", f"{api}/tree/{{revision}}/{{path:path}}", self._tree),
            ("POST", f"{api}/paths-info/{{revision}}", self._paths_info),
            ("PUT", "/lfs/{oid}", self._upload),
        ]
        for prefix in PREFIXES.values():
            doors.append(("POST", f"/{prefix}{repo}.git/info/lfs/objects/batch", self._lfs_batch))
            doors.append(("GET", f"/{prefix}{repo}/resolve/{{revision}}/{{path:path}}", self._resolve))
        return [Route(path, self._guarded(door), methods=[method]) for method, path, door in doors]

    def _guarded(self, door: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self.requests.append((request.method, request.url.path))
            await request.body()  # all of it is read before any refusal, or the client sees a broken connection
            try:
                self._disturb(request)
                return await door(request)
            except RefusalError as refusal:
                return JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)

        return answer

    def _disturb(self, request: Request) -> None:
        for fault in self.faults:
            if fault.method == request.method and re.search(fault.path, request.url.path):
                if fault.skip > 0:
                    fault.skip -= 1
                elif fault.times > 0:
                    fault.times -= 1
                    raise RefusalError(fault.status, f"made to fail with {fault.status}", headers=fault.headers)

    def _authorize(self, request: Request, namespace: str, *, write: bool) -> bool:
        """Whether the token is the owner's; refuses a wrong token, and one that may not write where it wants to."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in ("", READ_TOKEN, WRITE_TOKEN) or (write and not token):
            raise RefusalError(401, "Invalid username or password.")
        if write and (token == READ_TOKEN or namespace != USER):
            raise RefusalError(403, f'You don\'t have the rights to write under the namespace "{namespace}"')
        return bool(token) and namespace == USER

    def _repo(self, request: Request, *, write: bool = False) -> Repo:
        values = request.path_params
        kind = values.get("kinds", request.url.path.split("/")[1]).removesuffix("s")
        owned = self._authorize(request, values["owner"], write=write)
        found = self.repos.get((kind if kind in PREFIXES else "model", f"{values['owner']}/{values['name']}"))
        if found is None or (found.private and not owned):
            raise RefusalError(404 if owned else 401, "Repository not found", "RepoNotFound")
        return found

    def _state(self, request: Request) -> tuple[Repo, Commit]:
        """The repository, and its commit that `revision` names: `main` or a commit's id."""
        repo, revision = self._repo(request), request.path_params.get("revision", "main")
        for commit in reversed(repo.commits):
            if revision in ("main", commit.sha):
                return repo, commit
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    async def _create(self, request: Request) -> Response:
        wanted = await request.json()
        kind, namespace = wanted.get("type") or "model", wanted.get("organization") or USER
        self._authorize(request, namespace, write=True)
        repo_id = f"{namespace}/{wanted['name']}"
        url = f"{self.url}/{PREFIXES[kind]}{repo_id}"
        if (kind, repo_id) in self.repos:
            return JSONResponse({"error": f"You already created this {kind} repo", "url": url}, 409)
        repo = self.repos[kind, repo_id] = Repo(kind, repo_id, wanted.get("visibility") == "private")
        repo.commit(
            "initial commit", {".gitattributes": Blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n", False)}
        )
        return JSONResponse({"url": url, "name": repo_id, "private": repo.private})

    async def _validate_yaml(self, request: Request) -> Response:
        head = re.match(r"---\n(.*?)\n---", (await request.json())["content"], re.DOTALL)
        if head is None:
            return JSONResponse({"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}]})
        try:
            sound = isinstance(yaml.safe_load(head[1]), dict)
        except yaml.YAMLError:
            sound = False
        errors = [] if sound else [{"message": "the metadata is not a YAML mapping"}]
        return JSONResponse({"errors": errors, "warnings": []}, 200 if sound else 400)

    async def _info(self, request: Request) -> Response:
        repo, commit = self._state(request)
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        return JSONResponse({"id": repo.id, "sha": commit.sha, "siblings": siblings, "private": repo.private})

    async def _preupload(self, request: Request) -> Response:
        files = self._repo(request, write=True).commits[-1].files
        answers = []
        for wanted in (await request.json())["files"]:
            path, old = wanted["path"], files.get(wanted["path"])
            mode = "lfs" if path.endswith(LFS_SUFFIXES) or wanted["size"] > 10_000_000 else "regular"
            oid = None if old is None else old.sha256 if old.lfs else old.oid
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return JSONResponse({"files": answers})

    async def _lfs_batch(self, request: Request) -> Response:
        self._repo(request, write=True)
        answers = []
        for wanted in (await request.json())["objects"]:
            upload = {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}"}}
            answers.append({**wanted, **({} if wanted["oid"] in self.objects else {"actions": upload})})
        return JSONResponse({"transfer": "basic", "objects": answers})

    async def _upload(self, request: Request) -> Response:
        content = await request.body()
        if hashlib.sha256(content).hexdigest() != request.path_params["oid"]:
            raise RefusalError(400, "the content is not what was announced")
        self.objects[request.path_params["oid"]] = content
        return Response()

    async def _commit(self, request: Request) -> Response:
        repo = self._repo(request, write=True)
        files, message = dict(repo.commits[-1].files), ""
        for line in (await request.body()).splitlines():
            key, value = (entry := json.loads(line))["key"], entry["value"]
            if key == "header":
                message = value["summary"]
                if value.get("parentCommit") not in (None, repo.commits[-1].sha):
                    raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
            elif key == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), lfs=False)
            elif key == "lfsFile":
                if value["oid"] not in self.objects:
                    raise RefusalError(400, f"LFS pointer of {value['path']} points to a file that does not exist")
                files[value["path"]] = Blob(self.objects[value["oid"]], lfs=True)
            else:
                below = f"{value['path'].rstrip('/')}/" if key == "deletedFolder" else value["path"]
                gone = [path for path in files if path == below or (below.endswith("/") and path.startswith(below))]
                if not gone:
                    raise RefusalError(404, f"{value['path']} does not exist", "EntryNotFound")
                files = {path: blob for path, blob in files.items() if path not in gone}
        sha = repo.commit(message, files).sha
        url = f"{self.url}/{PREFIXES[repo.kind]}{repo.id}/commit/{sha}"
        return JSONResponse({"success": True, "commitUrl": url, "commitOid": sha})

    async def _tree(self, request: Request) -> Response:
        _, commit = self._state(request)
        folder = request.path_params.get("path", "").strip("/")
        entries = _entries(commit, f"{folder}/" if folder else "")
        if request.query_params.get("recursive", "false").lower() not in ("true", "1"):
            entries = {path: entry for path, entry in entries.items() if path.rpartition("/")[0] == folder}
        if folder and not entries:
            raise RefusalError(404, f"{folder} does not exist on this revision", "EntryNotFound")
        return JSONResponse(list(entries.values()))

    async def _paths_info(self, request: Request) -> Response:
        _, commit = self._state(request)
        wanted = urllib.parse.parse_qs((await request.body()).decode()).get("paths", [])
        entries = _entries(commit, "")
        return JSONResponse([entries[path] for path in wanted if path in entries])

    async def _resolve(self, request: Request) -> Response:
        _, commit = self._state(request)
        blob = commit.files.get(request.path_params["path"])
        if blob is None:
            raise RefusalError(404, "Entry not found", "EntryNotFound")
        tag = blob.sha256 if blob.lfs else blob.oid
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-ETag": f'"{tag}"', "X-Linked-Size": str(len(blob.content))}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if span is None:
            return Response(blob.content, 200, headers)
        start, end = int(span[1]), min(int(span[2] or len(blob.content)), len(blob.content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(blob.content)}"
        return Response(blob.content[start : end + 1], 206 if start <= end else 416, headers)


def _entries(commit: Commit, below: str) -> dict[str, dict[str, Any]]:
    """Files and folders whose path begins with `below`: path to what the Hub says of it."""
    entries: dict[str, dict[str, Any]] = {}
    for path, blob in sorted(commit.files.items()):
        if path.startswith(below):
            for folder in (str(one) for one in reversed(Path(path).parents[:-1]) if str(one).startswith(below)):
                oid = hashlib.sha1(folder.encode()).hexdigest()
                entries[folder] = {"type": "directory", "path": folder, "oid": oid, "size": 0}
            entries[path] = blob.describe(path)
    return entries


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """The Hub, served by a thread while inside; every one is new and empty."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hub = Hub(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(hub.app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield hub
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)
