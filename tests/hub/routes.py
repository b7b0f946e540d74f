"""What the Hub answers: its JSON API, LFS and Xet uploads, and downloads with ranges."""

from __future__ import annotations

import json
import re
import time
from fnmatch import fnmatch
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import yaml

from . import xet
from .handler import Handler
from .store import Commit, File, HubError, Repo

PAGE = 20  # entries of a listing per answer: small, so that the tests turn pages

_API = r"/api/(?P<type>model|dataset|space)s/(?P<id>[^/]+/[^/]+)"
_GIT = r"/(?:(?P<type>dataset|space)s/)?(?P<id>[^/]+/[^/]+)"
_REVISION = r"(?P<revision>[^/]+)"
_NAME = r"(?P<name>[^/]+)"
_KIND = r"(?P<kind>tag|branch)"


class Routes(Handler):
    """The methods behind the addresses; `type` is a repository's, `id` its owner and name."""

    routes = (
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create"),
        ("DELETE", r"/api/repos/delete", "delete"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("GET", _API, "info"),
        ("GET", _API + rf"/revision/{_REVISION}", "info"),
        ("GET", _API + rf"/tree/{_REVISION}(?:/(?P<path>.+))?", "tree"),
        ("POST", _API + rf"/paths-info/{_REVISION}", "paths_info"),
        ("GET", _API + r"/refs", "refs"),
        ("GET", _API + rf"/commits/{_REVISION}", "commits"),
        ("POST", _API + rf"/{_KIND}/{_NAME}", "add_ref"),
        ("DELETE", _API + rf"/{_KIND}/{_NAME}", "remove_ref"),
        ("PUT", _API + r"/settings", "settings"),
        ("POST", _API + rf"/preupload/{_REVISION}", "preupload"),
        ("POST", _API + rf"/commit/{_REVISION}", "commit"),
        ("GET", _API + rf"/xet-write-token/{_REVISION}", "xet_token"),
        ("POST", _GIT + r"\.git/info/lfs/objects/batch", "lfs_batch"),
        ("POST", r"/(?P<id>.+)\.git/info/lfs/verify", "lfs_verify"),
        ("PUT", r"/storage/(?P<oid>[0-9a-f]{64})", "lfs_put"),
        ("POST", r"/xet/v1/xorbs/default/(?P<hash>[0-9a-f]{64})", "xorb"),
        ("POST", r"/xet/v1/shards", "shard"),
        ("GET", _GIT + rf"/resolve/{_REVISION}/(?P<path>.+)", "resolve"),
        ("HEAD", _GIT + rf"/resolve/{_REVISION}/(?P<path>.+)", "resolve"),
    )

    def _repo(self, type: str | None, id: str, *, write: bool = False) -> Repo:
        return self.store.repo(type or "model", id, self.user, write=write)

    # The account, and repositories as a whole

    def whoami(self) -> None:
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        orgs = [{"type": "org", "name": name} for name in self.user.orgs]
        auth = {"type": "access_token", "accessToken": {"role": "write"}}
        self._reply(200, {"type": "user", "name": self.user.name, "orgs": orgs, "auth": auth})

    def create(self) -> None:
        body = self._json()
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        type_, name = body.get("type", "model"), body["name"]
        private = body.get("visibility") == "private" or body.get("private") is True
        owner = body.get("organization") or self.user.name
        prefix = "" if type_ == "model" else f"{type_}s/"
        address = {"url": f"{self.hub.url}/{prefix}{owner}/{name}", "name": f"{owner}/{name}"}
        try:
            self.store.create(type_, name, body.get("organization"), private, self.user)
        except HubError as error:
            if error.status != 409:
                raise
            self._reply(409, address | {"error": error.message})  # the clients read its url
            return
        self._reply(200, address)

    def delete(self) -> None:
        body = self._json()
        owner = body.get("organization") or (self.user.name if self.user else "")
        repo = self._repo(body.get("type"), f"{owner}/{body['name']}", write=True)
        del self.store.repos[(repo.type, repo.id)]
        self._reply(200)

    def settings(self, type: str, id: str) -> None:
        body = self._json()
        repo = self._repo(type, id, write=True)
        if "visibility" in body or "private" in body:
            repo.private = body.get("visibility") == "private" or body.get("private") is True
        self._reply(200, {"private": repo.private})

    def validate_yaml(self) -> None:
        content = self._json()["content"]
        header = re.match(r"\ufeff?---\r?\n(.*?)\r?\n---(\r?\n|$)", content, re.DOTALL)
        errors = []
        try:
            if header and not isinstance(yaml.safe_load(header[1]) or {}, dict):
                errors.append({"message": "the metadata must be a mapping"})
        except yaml.YAMLError as error:
            errors.append({"message": f"bad YAML: {error}"})
        self._reply(400 if errors else 200, {"errors": errors, "warnings": []})

    # What a repository holds

    def info(self, type: str, id: str, revision: str = "main") -> None:
        repo = self._repo(type, id)
        commit = repo.find(revision)
        siblings = []
        for path, file in commit.files.items():
            sibling: dict[str, Any] = {"rfilename": path}
            if "blobs" in self.query:
                sibling |= {"size": file.size, "blobId": file.oid}
                if file.lfs:
                    sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 133}
            siblings.append(sibling)
        answer = {
            "_id": "0",
            "id": repo.id,
            "author": repo.namespace,
            "sha": commit.id,
            "lastModified": commit.date,
            "createdAt": repo.history()[-1].date,
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": siblings,
            "cardData": self._card(commit),
        }
        self._reply(200, answer | ({"modelId": repo.id} if type == "model" else {}))

    def _card(self, commit: Commit) -> dict[str, Any]:
        if "README.md" not in commit.files:
            return {}
        content = self.store.read(commit.files["README.md"]).decode()
        header = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
        return (header and yaml.safe_load(header[1])) or {}

    def tree(self, type: str, id: str, revision: str, path: str = "") -> None:
        commit = self._repo(type, id).find(revision)
        entries = _entries(
            commit,
            path,
            recursive=self.query.get("recursive") == ["True"]
            or self.query.get("recursive") == ["true"],
        )
        if path and not entries:
            raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
        self._page([self._entry(*entry) for entry in entries])

    def _entry(self, path: str, file: File | None) -> dict[str, Any]:
        if file is None:
            return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
        entry = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 133}
        return entry

    def _page(self, entries: list[dict[str, Any]]) -> None:
        start = int(self.query.get("cursor", ["0"])[0])
        headers = {}
        if start + PAGE < len(entries):
            query = {name: values[0] for name, values in self.query.items()}
            query["cursor"] = str(start + PAGE)
            text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
            address = f"{self.hub.url}{urlsplit(self.path).path}?{text}"
            headers["Link"] = f'<{address}>; rel="next"'
        self._reply(200, entries[start : start + PAGE], headers)

    def paths_info(self, type: str, id: str, revision: str) -> None:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            paths = self._json()["paths"]
        else:
            paths = parse_qs(self._body().decode()).get("paths", [])
        commit = self._repo(type, id).find(revision)
        everything = dict(_entries(commit, "", recursive=True))
        found = [self._entry(path, everything[path]) for path in paths if path in everything]
        self._reply(200, found)

    def refs(self, type: str, id: str) -> None:
        repo = self._repo(type, id)

        def listed(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
                for name, commit in names.items()
            ]

        answer = {"branches": listed("heads", repo.branches), "tags": listed("tags", repo.tags)}
        self._reply(200, answer | {"converts": [], "pullRequests": []})

    def commits(self, type: str, id: str, revision: str) -> None:
        self._page(
            [
                {
                    "id": commit.id,
                    "title": commit.title,
                    "message": "",
                    "authors": [{"user": commit.user}],
                    "date": commit.date,
                }
                for commit in self._repo(type, id).history(revision)
            ]
        )

    def add_ref(self, kind: str, type: str, id: str, name: str) -> None:
        body = self._json()
        repo = self._repo(type, id, write=True)
        if kind == "tag":  # the address names the revision, the body the tag
            refs, name, revision = repo.tags, body["tag"], name
        else:
            refs, revision = repo.branches, body.get("startingPoint") or "main"
        if name in refs:
            raise HubError(409, f"Reference refs/{kind}s/{name} already exists")
        refs[name] = repo.find(revision).id
        self._reply(201)

    def remove_ref(self, kind: str, type: str, id: str, name: str) -> None:
        repo = self._repo(type, id, write=True)
        refs = repo.tags if kind == "tag" else repo.branches
        if refs.pop(name, None) is None:
            raise HubError(404, f"{name} does not exist", "RevisionNotFound")
        self._reply(200)

    # Publishing

    def preupload(self, type: str, id: str, revision: str) -> None:
        body = self._json()
        commit = self._repo(type, id, write=True).find(revision)
        ignore = body.get("gitIgnore")  # "" counts, and overrules the repository's own
        if ignore is None and ".gitignore" in commit.files:
            ignore = self.store.read(commit.files[".gitignore"]).decode()
        patterns = (ignore or "").split()
        answers = []
        for file in body["files"]:
            present = commit.files.get(file["path"])
            answer = {
                "path": file["path"],
                "uploadMode": self.store.upload_mode(commit, file["path"], file["size"]),
                "shouldIgnore": any(fnmatch(file["path"], pattern) for pattern in patterns),
            }
            if present:
                answer["oid"] = present.sha256 if present.lfs else present.oid
            answers.append(answer)
        self._reply(200, {"files": answers})

    def commit(self, type: str, id: str, revision: str) -> None:
        lines = [json.loads(line) for line in self._body().splitlines()]
        repo = self._repo(type, id, write=True)
        prefix = "" if type == "model" else f"{type}s/"
        answer = {"success": True}
        if "create_pr" in self.query:
            revision = self.store.open_pull(repo, revision)
            number = revision.rpartition("/")[2]
            answer["pullRequestUrl"] = f"{self.hub.url}/{prefix}{id}/discussions/{number}"
        commit = self.store.commit(repo, revision, lines, self.user)
        address = f"{self.hub.url}/{prefix}{id}/commit/{commit.id}"
        self._reply(200, answer | {"commitOid": commit.id, "commitUrl": address})

    def lfs_batch(self, id: str, type: str | None = None) -> None:
        body = self._json()
        self._repo(type, id, write=True)
        answers = []
        for item in body["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if not self.store.has(item["oid"]):
                address = f"{self.hub.url}/storage/{item['oid']}"
                verify = f"{self.hub.url}/{id}.git/info/lfs/verify"
                answer["actions"] = {"upload": {"href": address}, "verify": {"href": verify}}
            answers.append(answer)
        self._reply(200, {"transfer": "basic", "objects": answers})

    def lfs_put(self, oid: str) -> None:
        file = self.store.put(self._body(), lfs=True)
        if file.sha256 != oid:
            raise HubError(400, f"the content is {file.sha256}, not {oid}")
        self._reply(200)

    def lfs_verify(self, id: str) -> None:
        if not self.store.has(self._json()["oid"]):
            raise HubError(404, "the object is missing")
        self._reply(200)

    def xet_token(self, type: str, id: str, revision: str) -> None:
        self._repo(type, id, write=True).find(revision)
        address, token, until = f"{self.hub.url}/xet", "of-storage", int(time.time()) + 3600
        headers = {
            "X-Xet-Cas-Url": address,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": until,
        }
        self._reply(200, {"casUrl": address, "accessToken": token, "exp": until}, headers)

    def xorb(self, hash: str) -> None:
        new = hash not in self.hub.xorbs
        self.hub.xorbs[hash] = self._body()
        self._reply(200, {"was_inserted": new})

    def shard(self) -> None:
        for content in xet.files(self._body(), self.hub.xorbs.__getitem__):
            self.store.put(content, lfs=True)
        self._reply(200, {"result": 1})

    # Loading

    def resolve(self, id: str, revision: str, path: str, type: str | None = None) -> None:
        commit = self._repo(type, id).find(revision)
        headers = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        file = commit.files.get(path)
        if file is None:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            self._reply(404, {"error": "Entry not found"}, headers)
            return
        etag = file.sha256 if file.lfs else file.oid
        headers |= {"ETag": f'"{etag}"', "Content-Type": "application/octet-stream"}
        if file.lfs:
            headers |= {"X-Linked-Size": file.size, "X-Linked-Etag": f'"{etag}"'}
        content, status = self.store.read(file), 200
        if requested := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            first, last = requested.groups()
            start = int(first) if first else max(0, file.size - int(last))
            stop = min(int(last) + 1, file.size) if first and last else file.size
            if start >= file.size:
                self._reply(416, b"", {"Content-Range": f"bytes */{file.size}"})
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
            content, status = content[start:stop], 206
        self._reply(status, content, headers)


def _entries(commit: Commit, path: str, *, recursive: bool) -> list[tuple[str, File | None]]:
    """Files and folders (None) under a folder, sorted by path."""
    prefix = f"{path}/" if path else ""
    found: dict[str, File | None] = {}
    for name, file in commit.files.items():
        if not name.startswith(prefix):
            continue
        parts = name[len(prefix) :].split("/")
        for depth in range(1, len(parts)) if recursive else range(1, min(2, len(parts))):
            found[prefix + "/".join(parts[:depth])] = None
        if recursive or len(parts) == 1:
            found[name] = file
    return sorted(found.items())
