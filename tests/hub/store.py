"""What a Hub keeps: users, and repositories of commits over content-addressed blobs.

Blobs lie on disk under their sha256; commits, branches and tags are kept in memory and go with the
server. Every change of a repository is one assignment under the lock, so that nobody sees half.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

# What a new repository comes with; git attributes of the real one, cut to what is pushed here.
GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in ("*.arrow", "*.bin", "*.npz", "*.onnx", "*.parquet", "*.safetensors", "*.zip")
)
LFS_FROM_BYTES = 10 * 2**20


class HubError(Exception):
    """An answer other than success: status, `X-Error-Code` where the Hub sends one, message."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers = headers or {}


@dataclass(frozen=True)
class User:
    name: str
    orgs: dict[str, str] = field(default_factory=dict)  # organisation -> "write" or "read"

    def may_write(self, namespace: str) -> bool:
        return namespace == self.name or self.orgs.get(namespace) == "write"

    def may_read(self, namespace: str) -> bool:
        return namespace == self.name or namespace in self.orgs


@dataclass(frozen=True)
class File:
    sha256: str  # of the content, which is the name of its blob
    size: int
    oid: str  # git's name of what a clone would hold: the content, or the LFS pointer
    lfs: bool


@dataclass(frozen=True)
class Commit:
    id: str
    parent: str | None
    title: str
    user: str
    date: str
    files: dict[str, File]  # by path, sorted


@dataclass
class Repo:
    type: str  # model, dataset or space
    id: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)  # name -> commit id
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)  # refs/pr/1 -> commit id

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    def find(self, revision: str) -> Commit:
        name = re.sub(r"^refs/(heads|tags)/", "", revision)
        named = self.branches | self.tags | self.pulls
        commit_id = named.get(name, revision)
        if commit_id not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[commit_id]

    def history(self, revision: str = "main") -> list[Commit]:
        """From the revision back to the first commit."""
        commits = [self.find(revision)]
        while commits[-1].parent is not None:
            commits.append(self.commits[commits[-1].parent])
        return commits


class Store:
    """Users by token, organisations, repositories by type and id, and the blobs."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True)
        self.users: dict[str, User] = {}
        self.orgs: set[str] = set()
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lock = threading.RLock()
        self._serial = itertools.count()

    def user(self, token: str | None) -> User | None:
        if token is None:
            return None
        if token not in self.users:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.users[token]

    def repo(self, type_: str, id_: str, user: User | None, *, write: bool = False) -> Repo:
        """The repository if this user may see it; whoever may not is told that it is missing."""
        repo = self.repos.get((type_, id_))
        seen = repo and (not repo.private or (user and user.may_read(repo.namespace)))
        if not seen:
            status = 404 if user else 401
            raise HubError(status, "Repository not found", "RepoNotFound")
        if write and user is None:
            raise HubError(401, "Invalid username or password.")
        if write and not user.may_write(repo.namespace):
            raise HubError(403, "you must use a token with write access to this repository")
        return repo

    def create(self, type_: str, name: str, owner: str | None, private: bool, user: User) -> Repo:
        owner = owner or user.name
        if owner != user.name and owner not in self.orgs:
            raise HubError(404, f"Organization {owner} not found")
        if not user.may_write(owner):
            message = (
                f'You don\'t have the rights to create a {type_} under the namespace "{owner}"'
            )
            raise HubError(403, message)
        with self.lock:
            key = (type_, f"{owner}/{name}")
            if key in self.repos:
                raise HubError(409, f"You already created this {type_} repo")
            repo = self.repos[key] = Repo(type_, key[1], private)
            files = {".gitattributes": self.put(GITATTRIBUTES.encode(), lfs=False)}
            self._advance(repo, "main", None, files, "initial commit", user)
        return repo

    def has(self, sha256: str) -> bool:
        return (self.blobs / sha256).is_file()

    def read(self, file: File) -> bytes:
        return (self.blobs / file.sha256).read_bytes()

    def put(self, content: bytes, *, lfs: bool) -> File:
        sha256 = hashlib.sha256(content).hexdigest()
        partial = self.blobs / f"{sha256}.{next(self._serial)}.partial"
        partial.write_bytes(content)
        partial.rename(self.blobs / sha256)
        return self._file(sha256, lfs)

    def _file(self, sha256: str, lfs: bool) -> File:
        content = (self.blobs / sha256).read_bytes()
        blob = content
        if lfs:
            blob = (
                "version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{sha256}\nsize {len(content)}\n"
            ).encode()
        oid = hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()
        return File(sha256, len(content), oid, lfs)

    def upload_mode(self, commit: Commit, path: str, size: int) -> str:
        patterns = [
            line.split()[0]
            for line in self.read(commit.files[".gitattributes"]).decode().splitlines()
            if "filter=lfs" in line
        ]
        matches = any(fnmatch(path.rsplit("/", 1)[-1], pattern) for pattern in patterns)
        return "lfs" if matches or size >= LFS_FROM_BYTES else "regular"

    def open_pull(self, repo: Repo, parent: str) -> str:
        """A pull request that begins at a commit; returns its reference."""
        with self.lock:
            reference = f"refs/pr/{len(repo.pulls) + 1}"
            repo.pulls[reference] = repo.find(parent).id
        return reference

    def commit(self, repo: Repo, branch: str, lines: list[dict[str, Any]], user: User) -> Commit:
        """Apply the lines of a commit request (header, file, lfsFile, deleted...), or nothing."""
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.lock:
            parent = repo.find(branch)
            if header.get("parentCommit") not in (None, parent.id):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            files = dict(parent.files)
            for line in lines:
                value = line["value"]
                match line["key"]:
                    case "header":
                        pass
                    case "file":
                        files[value["path"]] = self.put(
                            base64.b64decode(value["content"]), lfs=False
                        )
                    case "lfsFile":
                        if not self.has(value["oid"]):
                            raise HubError(400, f"LFS object {value['oid']} was not uploaded")
                        files[value["path"]] = self._file(value["oid"], lfs=True)
                    case "deletedFile":
                        if files.pop(value["path"], None) is None:
                            raise HubError(
                                404, "A file with this name doesn't exist", "EntryNotFound"
                            )
                    case "deletedFolder":
                        prefix = value["path"].rstrip("/") + "/"
                        files = {
                            path: file
                            for path, file in files.items()
                            if not path.startswith(prefix)
                        }
                    case unknown:
                        raise HubError(400, f"unknown operation {unknown}")
            return self._advance(repo, branch, parent.id, files, header["summary"], user)

    def _advance(
        self,
        repo: Repo,
        branch: str,
        parent: str | None,
        files: dict[str, File],
        title: str,
        user: User,
    ) -> Commit:
        files = dict(sorted(files.items()))
        tree = {path: file.oid for path, file in files.items()}
        seed = json.dumps([parent, title, tree, next(self._serial)])
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        commit_id = hashlib.sha1(seed.encode()).hexdigest()
        commit = Commit(commit_id, parent, title, user.name, date, files)
        repo.commits[commit.id] = commit
        (repo.pulls if branch.startswith("refs/pr/") else repo.branches)[branch] = commit.id
        return commit
