"""A folder to a repository on the Hugging Face Hub in one commit, and a name back to its content.

Both halves publish and load through here: a built dataset and a trained model are folders in the
Hub's own layout. Who publishes is decided by the token that `hf auth login` stored, or HF_TOKEN.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import datasets
import yaml
from datasets.exceptions import DatasetsError
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import tqdm, validate_repo_id

from khmer_aligned.hub_errors import UNREACHABLE, address, plain_errors
from khmer_aligned.schema import UserError

RepoType = Literal["dataset", "model"]

# What a loader picks up by its name. A publish deletes those that the folder no longer holds, so
# that nobody loads two builds mixed; whatever else was put into the repository by hand stays.
MANAGED = {
    "dataset": re.compile(r"data/.+"),
    "model": re.compile(r"(model|pytorch_model)[^/]*\.(safetensors|bin)(\.index\.json)?"),
}
REQUIRED = {
    "dataset": ("README.md", "data/*.parquet"),
    "model": ("README.md", "config.json", "*.safetensors"),
}
# Files of work in progress start with a dot or lie in one of these folders, and stay at home.
PUBLISHED_DOT_NAMES = {".gitattributes", ".eval_results"}
UNPUBLISHED_FOLDERS = {"checkpoints", "__pycache__"}
# Loading one of these runs whatever code its author put inside.
PICKLES = (
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.pickle",
    "*.ckpt",
    "training_args.bin",
    "pytorch_model*.bin",
)

# Where the cards tell how the repository is used.
_NAMED = re.compile(
    r'(?<=load_dataset\(")[^"]*(?="\))'
    r'|(?<=pipeline\("automatic-speech-recognition", ")[^"]*(?="\))'
    r"|(?<=khmer-whisper transcribe )\S+"
)
_SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})(?P<ending>\.\w+)")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish left on the Hub, and what it took; paths are those in the repository."""

    url: str  # of the repository
    commit: str  # full hash of the commit that now holds the folder
    uploaded: tuple[str, ...]  # new or changed files in the commit
    skipped: tuple[str, ...]  # files that the repository already held
    deleted: tuple[str, ...]  # files of an earlier build


@dataclass(frozen=True)
class Source:
    """A dataset or a model, pinned: what `load` takes, and `from_pretrained`."""

    path: str  # Hub id or local folder
    revision: str | None  # full commit hash; None for a local folder
    repo_type: RepoType
    subset: str | None = None  # of a Hub dataset that has several

    @property
    def pinned(self) -> str:
        """What `resolve` finds the same with: org/name[:subset]@commit, or the folder."""
        subset = f":{self.subset}" if self.subset else ""
        return f"{self.path}{subset}@{self.revision}" if self.revision else self.path

    @cached_property
    def version(self) -> str:
        """What a record of this source has to name: the commit, or a hash of a folder's data.

        `sha256:` over the names and contents of a folder's data files or weights (of all its
        files where it has none of these), so that a rewritten card or score changes nothing.
        Reads the files whole, the first time.
        """
        if self.revision is not None:
            return self.revision
        files = _published_files(Path(self.path))
        managed = {name: files[name] for name in files if MANAGED[self.repo_type].fullmatch(name)}
        digest = hashlib.sha256()
        for name, path in (managed or files).items():
            digest.update(f"{_sha256(path)}  {name}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    @property
    def identity(self) -> str:
        """The name to write down: `org/name@commit`, or a folder's own name and its version.

        Where on this machine the folder lies is nobody's business.
        """
        if self.revision is not None:
            return self.pinned
        return f"{Path(self.path).resolve().name}@{self.version}"


def publish(
    folder: Path,
    repo_id: str,
    repo_type: RepoType,
    *,
    message: str,
    private: bool = False,
    tag: str | None = None,
) -> Published:
    """Make the repository hold the folder: one commit or none, then an optional tag.

    A missing repository is created, and the card's examples come to name it. Only files that
    differ from the repository's are uploaded, all of them before the commit that shows them; when
    nothing differs there is no commit. A publish that was cut off is finished by calling it again.

    `private` decides over a new repository only: an existing one keeps its visibility, and asking
    for a private publish into a public one is an error. Raises `UserError`.
    """
    folder = Path(folder)
    files = _checked_files(folder, repo_type)
    _check_repo_id(repo_id)
    if tag is not None and not _TAG.fullmatch(tag):
        raise UserError(f"{tag!r} cannot be a tag: use letters, digits, '.', '_' and '-'")
    token = _token()
    if token is None:
        raise UserError(
            "no Hugging Face token: run `hf auth login`, or set HF_TOKEN, and try again"
        )
    _name_in_card(files["README.md"], repo_id)
    api = HfApi(token=token)
    with plain_errors(repo_id, repo_type, api.endpoint):
        head = _existing_or_new(api, repo_id, repo_type, private)
        remote = {
            entry.path: entry
            for entry in api.list_repo_tree(
                repo_id, recursive=True, revision=head, repo_type=repo_type
            )
            if isinstance(entry, RepoFile)
        }
        changed = _changed(files, remote, repo_id)
        stale = [
            name for name in remote if MANAGED[repo_type].fullmatch(name) and name not in files
        ]
        tagged = _tagged_commit(api, repo_id, repo_type, tag)
        if tagged is not None and (tagged != head or changed or stale):
            raise UserError(
                f"{repo_id}: the tag {tag} already names commit {tagged[:12]}, which holds"
                " something else; choose another tag"
            )
        if changed or stale:
            head = _commit(api, repo_id, repo_type, head, changed, stale, message)
        if tag is not None and tagged is None:
            api.create_tag(repo_id, tag=tag, revision=head, repo_type=repo_type)
    return Published(
        url=address(api.endpoint, repo_type, repo_id),
        commit=head,
        uploaded=tuple(changed),
        skipped=tuple(name for name in files if name not in changed),
        deleted=tuple(stale),
    )


def resolve(name: str, repo_type: RepoType) -> Source:
    """Find what `name` means: a local folder, or `org/name` or `org/name@revision` on the Hub.

    A dataset of several subsets is `org/name:subset`. An existing folder wins. A Hub name is pinned
    to the commit that its revision (branch, tag or commit; by default the main branch) names now;
    when the Hub cannot be reached, to the commit that it named when it was last asked. Raises
    `UserError`.
    """
    if not name:
        raise UserError(f"the {repo_type} has no name: give a folder or a Hub repository")
    folder = Path(name)
    if folder.is_dir():
        return Source(path=str(folder), revision=None, repo_type=repo_type)
    if folder.exists():
        raise UserError(f"{name} is a file; name the folder of a {repo_type}, or a Hub repository")
    repo_id, _, revision = name.partition("@")
    subset = ""
    if repo_type == "dataset":
        repo_id, _, subset = repo_id.partition(":")
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise UserError(f"{name}: no such folder, and not a name on the Hub (org/name)") from None
    api = HfApi(token=_token())
    with plain_errors(repo_id, repo_type, api.endpoint, revision or None):
        commit = api.resolve_revision(
            repo_id, repo_type=repo_type, revision=revision or None
        ).resolved
        if commit == revision:  # the client takes a full hash on trust
            with suppress(*UNREACHABLE):
                api.repo_info(repo_id, repo_type=repo_type, revision=commit)
    return Source(path=repo_id, revision=commit, repo_type=repo_type, subset=subset or None)


def load(source: Source, name: str, **options: Any) -> Any:
    """`datasets.load_dataset` of a source, named as the user did; every split, or a stream of it.

    Raises `UserError` where there is no such dataset or subset, or its files cannot be read.
    """
    try:
        return datasets.load_dataset(
            source.path, source.subset, revision=source.revision, **options
        )
    except (DatasetsError, OSError, ValueError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        if "Config name is missing" in reason and source.revision:
            reason = f"it has several subsets, so name one, as in {source.path}:SUBSET: {reason}"
        if "torchcodec" in reason:
            reason = "its sounds are files of their own; put it on the Hub as parquet, or build it"
        raise UserError(f"{name}: cannot be loaded as a dataset: {reason}") from error


def _token() -> str | None:
    token = get_token()
    # The HTTP client would quote a token that it cannot send in its complaint.
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UserError(
            "the Hugging Face token holds characters that no token has:"
            " run `hf auth login` again, or correct HF_TOKEN"
        )
    return token


def _check_repo_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UserError(f"{repo_id!r} cannot be a repository: {error}") from None
    if "/" not in repo_id:
        raise UserError(f"{repo_id!r}: name the repository with its owner, as in org/{repo_id}")


def _published_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names in the repository, sorted."""
    files = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if name not in UNPUBLISHED_FOLDERS and _visible(name)
        ]
        for name in folders:
            if (linked := Path(parent, name)).is_symlink():
                raise UserError(f"{linked} is a link to a folder: put the folder itself there")
        for name in filter(_visible, names):
            path = Path(parent, name)
            files[path.relative_to(folder).as_posix()] = path
    return dict(sorted(files.items()))


def _visible(name: str) -> bool:
    return not name.startswith(".") or name in PUBLISHED_DOT_NAMES


def _checked_files(folder: Path, repo_type: RepoType) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = _published_files(folder)
    for pattern in REQUIRED[repo_type]:
        if not any(folder.glob(pattern)):
            raise UserError(f"{folder} is not a {repo_type} folder: it has no {pattern}")
    shards: dict[tuple[str, str], dict[int, set[int]]] = {}
    for name in files:
        if any(fnmatch(Path(name).name, pattern) for pattern in PICKLES):
            raise UserError(f"{folder / name} is a pickle: save it as safetensors, or remove it")
        if match := _SHARD.fullmatch(name):
            counts = shards.setdefault((match["stem"], match["ending"]), {})
            counts.setdefault(int(match["count"]), set()).add(int(match["index"]))
    for (stem, ending), counts in shards.items():
        if len(counts) > 1:
            first, second = sorted(counts)[:2]
            raise UserError(
                f"{folder} mixes two builds: {stem} is there in {first} shards and in {second};"
                " remove the older ones"
            )
        [(count, present)] = counts.items()
        if missing := sorted(set(range(count)) - present):
            name = f"{stem}-{missing[0]:05d}-of-{count:05d}{ending}"
            raise UserError(f"{folder} is incomplete: {name} is missing; finish it first")
    return files


def _name_in_card(card: Path, repo_id: str) -> None:
    text = card.read_text(encoding="utf-8", errors="surrogateescape")
    if (named := _NAMED.sub(repo_id, text)) != text:
        card.write_text(named, encoding="utf-8", errors="surrogateescape")


def _existing_or_new(api: HfApi, repo_id: str, repo_type: RepoType, private: bool) -> str:
    """The head commit of the repository, which is created where it is missing."""
    try:
        info = api.repo_info(repo_id, repo_type=repo_type)
    except RepositoryNotFoundError:
        try:
            # None leaves the choice to the organisation, whose default may be private.
            api.create_repo(repo_id, repo_type=repo_type, private=private or None)
        except HfHubHTTPError as error:
            if error.response.status_code in (403, 404):
                owner = repo_id.split("/")[0]
                raise UserError(
                    f"{repo_id} cannot be created: there is no organisation or user {owner} on"
                    f" {api.endpoint}, or this token may not create repositories there"
                ) from error
            raise
        info = api.repo_info(repo_id, repo_type=repo_type)
    if private and not info.private:
        raise UserError(
            f"{repo_id} exists and is public: make it private in its settings on {api.endpoint},"
            " or publish without asking for private"
        )
    return info.sha


def _tagged_commit(api: HfApi, repo_id: str, repo_type: RepoType, tag: str | None) -> str | None:
    if tag is None:
        return None
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)


def _changed(files: dict[str, Path], remote: dict[str, RepoFile], repo_id: str) -> dict[str, Path]:
    """The files that the repository does not hold as they are; those of equal size are read."""
    same_size = {
        name: path
        for name, path in files.items()
        if name in remote and path.stat().st_size == remote[name].size
    }
    same = set()
    total = sum(remote[name].size for name in same_size)
    title = f"Comparing with {repo_id}"
    with tqdm(total=total, unit="B", unit_scale=True, desc=title, disable=not total) as bar:
        for name, path in same_size.items():
            lfs = remote[name].lfs
            if (_sha256(path) == lfs.sha256) if lfs else (_git_sha1(path) == remote[name].blob_id):
                same.add(name)
            bar.update(remote[name].size)
    return {name: path for name, path in files.items() if name not in same}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_sha1(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _commit(
    api: HfApi,
    repo_id: str,
    repo_type: RepoType,
    head: str,
    changed: dict[str, Path],
    stale: list[str],
    message: str,
) -> str:
    if "README.md" in changed:  # before hours of uploading, not after
        try:
            RepoCard.load(changed["README.md"]).validate(repo_type)
        except (ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{changed['README.md']}: the Hub refuses its header: {reason}"
            ) from None
    additions = [CommitOperationAdd(name, path) for name, path in changed.items()]
    if additions:
        # Without a .gitignore of its own, one in the repository would drop files silently.
        api.preupload_lfs_files(
            repo_id, additions, repo_type=repo_type, free_memory=False, gitignore_content=""
        )
    deletions = [CommitOperationDelete(name, is_folder=False) for name in stale]
    return api.create_commit(
        repo_id,
        [*additions, *deletions],
        commit_message=message,
        repo_type=repo_type,
        parent_commit=head,
    ).oid
