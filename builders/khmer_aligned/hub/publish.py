"""A folder to a repository on the Hugging Face Hub in one commit.

Both halves publish through here: a built dataset and a trained model are folders in the Hub's own
layout. Who publishes is decided by the token that `hf auth login` stored, or HF_TOKEN.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import tqdm, validate_repo_id

from khmer_aligned.errors import UserError
from khmer_aligned.hub.errors import address, plain_errors
from khmer_aligned.hub.folder import MANAGED, RepoType, checked_files, sha256
from khmer_aligned.hub.resolve import stored_token

# Where the cards show how the repository is used.
_NAMED = re.compile(
    r'(?<=load_dataset\(")[^"]*(?="\))'
    r'|(?<=pipeline\("automatic-speech-recognition", ")[^"]*(?="\))'
    r"|(?<=khmer-whisper transcribe )\S+"
)
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish left on the Hub, and what it took; paths are those in the repository."""

    url: str  # of the repository
    commit: str  # full hash of the commit that now holds the folder
    uploaded: tuple[str, ...]  # new or changed files in the commit
    skipped: tuple[str, ...]  # files that the repository already held
    deleted: tuple[str, ...]  # files of an earlier build


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
    files = checked_files(folder, repo_type)
    _check_repo_id(repo_id)
    if tag is not None and not _TAG.fullmatch(tag):
        raise UserError(f"{tag!r} cannot be a tag: use letters, digits, '.', '_' and '-'")
    token = stored_token()
    if token is None:
        raise UserError(
            "no Hugging Face token: run `hf auth login`, or set HF_TOKEN, and try again"
        )
    _name_in_card(files["README.md"], repo_id)
    repository = _Repository(HfApi(token=token), repo_id, repo_type)
    with plain_errors(repo_id, repo_type, repository.api.endpoint):
        head = repository.find_or_create(private)
        changes = _compare(files, repository.files(head), repository)
        tagged = repository.tagged_commit(tag)
        if tagged is not None and (tagged != head or changes):
            raise UserError(
                f"{repo_id}: the tag {tag} already names commit {tagged[:12]}, which holds"
                " something else; choose another tag"
            )
        if changes:
            head = repository.commit(head, changes, message)
        if tag is not None and tagged is None:
            repository.api.create_tag(repo_id, tag=tag, revision=head, repo_type=repo_type)
    return Published(
        url=address(repository.api.endpoint, repo_type, repo_id),
        commit=head,
        uploaded=tuple(changes.uploads),
        skipped=tuple(name for name in files if name not in changes.uploads),
        deleted=tuple(changes.deletions),
    )


@dataclass(frozen=True, slots=True)
class _Changes:
    """What the repository lacks, and what a loader would pick up there of an earlier build."""

    uploads: dict[str, Path]  # by their names in the repository
    deletions: list[str]

    def __bool__(self) -> bool:
        return bool(self.uploads or self.deletions)


@dataclass(frozen=True, slots=True)
class _Repository:
    """A repository on the Hub; its methods raise the client's errors."""

    api: HfApi
    id: str
    type: RepoType

    def find_or_create(self, private: bool) -> str:
        """The head commit of the repository, which is created where it is missing."""
        try:
            info = self.api.repo_info(self.id, repo_type=self.type)
        except RepositoryNotFoundError:
            self._create(private)
            info = self.api.repo_info(self.id, repo_type=self.type)
        if private and not info.private:
            raise UserError(
                f"{self.id} exists and is public: make it private in its settings on"
                f" {self.api.endpoint}, or publish without asking for private"
            )
        assert info.sha is not None  # a repository begins with a commit
        return info.sha

    def _create(self, private: bool) -> None:
        try:
            # None leaves the choice to the organisation, whose default may be private.
            self.api.create_repo(self.id, repo_type=self.type, private=private or None)
        except HfHubHTTPError as error:
            if error.response.status_code in (403, 404):
                owner = self.id.split("/")[0]
                raise UserError(
                    f"{self.id} cannot be created: there is no organisation or user {owner} on"
                    f" {self.api.endpoint}, or this token may not create repositories there"
                ) from error
            raise

    def files(self, head: str) -> dict[str, RepoFile]:
        """The files at a commit by their names."""
        tree = self.api.list_repo_tree(self.id, recursive=True, revision=head, repo_type=self.type)
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def tagged_commit(self, tag: str | None) -> str | None:
        """The commit that the tag names; None where there is no such tag."""
        if tag is None:
            return None
        refs = self.api.list_repo_refs(self.id, repo_type=self.type)
        return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)

    def commit(self, head: str, changes: _Changes, message: str) -> str:
        """Upload, then commit onto `head` whatever changes; returns the new head."""
        if "README.md" in changes.uploads:  # before hours of uploading, not after
            _check_header(changes.uploads["README.md"], self.type)
        additions = [CommitOperationAdd(name, path) for name, path in changes.uploads.items()]
        if additions:
            # Without a .gitignore of its own, one in the repository would drop files silently.
            self.api.preupload_lfs_files(
                self.id, additions, repo_type=self.type, free_memory=False, gitignore_content=""
            )
        deletions = [CommitOperationDelete(name, is_folder=False) for name in changes.deletions]
        return self.api.create_commit(
            self.id,
            [*additions, *deletions],
            commit_message=message,
            repo_type=self.type,
            parent_commit=head,
        ).oid


def _check_repo_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UserError(f"{repo_id!r} cannot be a repository: {error}") from None
    if "/" not in repo_id:
        raise UserError(f"{repo_id!r}: name the repository with its owner, as in org/{repo_id}")


def _name_in_card(card: Path, repo_id: str) -> None:
    text = card.read_text(encoding="utf-8", errors="surrogateescape")
    if (named := _NAMED.sub(repo_id, text)) != text:
        card.write_text(named, encoding="utf-8", errors="surrogateescape")


def _check_header(card: Path, repo_type: RepoType) -> None:
    try:
        RepoCard.load(card).validate(repo_type)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{card}: the Hub refuses its header: {reason}") from None


def _compare(
    files: dict[str, Path], remote: dict[str, RepoFile], repository: _Repository
) -> _Changes:
    """What a commit has to change; of the files, those of equal size are read."""
    same_size = {
        name: path
        for name, path in files.items()
        if name in remote and path.stat().st_size == remote[name].size
    }
    same = set()
    total = sum(remote[name].size for name in same_size)
    title = f"Comparing with {repository.id}"
    with tqdm(total=total, unit="B", unit_scale=True, desc=title, disable=not total) as bar:
        for name, path in same_size.items():
            lfs = remote[name].lfs
            if (sha256(path) == lfs.sha256) if lfs else (_git_sha1(path) == remote[name].blob_id):
                same.add(name)
            bar.update(remote[name].size)
    uploads = {name: path for name, path in files.items() if name not in same}
    managed = MANAGED[repository.type]
    return _Changes(uploads, [n for n in remote if managed.fullmatch(n) and n not in files])


def _git_sha1(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
