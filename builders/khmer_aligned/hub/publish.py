"""A folder to a repository on the Hugging Face Hub in one commit.

Both halves publish through here: a built dataset and a trained model are folders in the Hub's own
layout. Who publishes is decided by the token that `hf auth login` stored, or HF_TOKEN.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import yaml
from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import tqdm, validate_repo_id

from khmer_aligned.errors import UserError
from khmer_aligned.hub.cards import (
    check_licence,
    read_header,
    set_licence,
    set_title,
    usual,
)
from khmer_aligned.hub.errors import address, plain_errors
from khmer_aligned.hub.folder import MANAGED, RepoType, checked_files, sha256
from khmer_aligned.hub.patience import with_patience
from khmer_aligned.hub.resolve import stored_token

# Where the cards show how the repository is used.
_NAMED = re.compile(
    r'(?<=load_dataset\(")[^"]*(?="\))'
    r'|(?<=pipeline\("automatic-speech-recognition", ")[^"]*(?="[,)])'
    r"|(?<=khmer-whisper transcribe )\S+"
    r"|(?<=khmer-whisper reproduce )\S+"
    r"|(?<=khmer-aligned reproduce )\S+"
    r"|(?<=howpublished = \{Hugging Face Hub, )\S+"
)
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish left on the Hub, and what it took; paths are those in the repository."""

    url: str  # of the repository, or of the pull request
    commit: str | None  # full hash of the commit that now holds the folder; None for a dry run
    uploaded: tuple[str, ...]  # new or changed files in the commit
    skipped: tuple[str, ...]  # files that the repository already held
    deleted: tuple[str, ...]  # files of an earlier build
    bytes: int  # in the files that were uploaded

    def __str__(self) -> str:
        counts = (
            f"{_files(self.uploaded)} uploaded ({self.bytes:,} bytes), {len(self.skipped)} there "
            f"already, {len(self.deleted)} old ones deleted"
        )
        if self.commit is None:
            lines = [f"  + {name}" for name in self.uploaded]
            lines += [f"  - {name}" for name in self.deleted]
            return "\n".join([f"nothing is published; it would be {counts}", *lines])
        return f"{self.url} at {self.commit[:12]}: {counts}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a folder is published.

    private decides over a new repository only: an existing one keeps its visibility, and asking
    for a private publish into a public one is an error. licence and title go into the card.
    create_pr opens a pull request instead of changing the main branch. dry_run changes nothing,
    neither here nor there.
    """

    message: str = "Publish"
    private: bool = False
    tag: str | None = None
    licence: str | None = None
    title: str | None = None
    create_pr: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise UserError(f"{self.tag!r} cannot be a tag: use letters, digits, '.', '_' and '-'")
        if self.tag is not None and self.create_pr:
            raise UserError("--tag names a commit of the main branch: leave it out of --create-pr")


def publish(
    folder: Path, repo_id: str, repo_type: RepoType, settings: Settings, rights: str = ""
) -> Published:
    """Make the repository hold the folder: one commit or none, then an optional tag.

    A missing repository is created, and the card's examples come to name it. Only files that
    differ from the repository's are uploaded, all of them before the commit that shows them; when
    nothing differs there is no commit. The commit has the head that was compared with as its
    parent, so that a push by somebody else in between is never overwritten. What a busy Hub or a
    broken line refuses is tried again, see `patience`; a publish that was cut off is finished by
    calling it again.

    rights: what is known of the rights, for the error where the card states no licence. Raises
    `UserError`.
    """
    folder = Path(folder)
    files = checked_files(folder, repo_type)
    _check_repo_id(repo_id)
    token = stored_token()
    if token is None:
        raise UserError(
            "no Hugging Face token: run `hf auth login`, or set HF_TOKEN, and try again"
        )
    with _dressed_card(files["README.md"], repo_id, settings, rights) as card:
        files = files | {"README.md": card}
        repository = _Repository(HfApi(token=token), repo_id, repo_type)
        attempt = _Attempt(repository, files, settings)
        with plain_errors(repo_id, repo_type, repository.api.endpoint):
            return with_patience(attempt, partial(tqdm.write, file=sys.stderr))


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

    def find(self, settings: Settings) -> str | None:
        """The head commit of the repository; None where there is none."""
        try:
            info = self.api.repo_info(self.id, repo_type=self.type)
        except RepositoryNotFoundError:
            return None
        if settings.private and not info.private:
            raise UserError(
                f"{self.id} exists and is public: make it private in its settings on"
                f" {self.api.endpoint}, or publish without asking for private"
            )
        assert info.sha is not None  # a repository begins with a commit
        return info.sha

    def create(self, settings: Settings) -> str:
        """Create the repository; returns its first commit."""
        try:
            # None leaves the choice to the organisation, whose default may be private.
            private = settings.private or None
            sdk = "static" if self.type == "space" else None
            self.api.create_repo(self.id, repo_type=self.type, private=private, space_sdk=sdk)
        except HfHubHTTPError as error:
            if error.response.status_code in (403, 404):
                owner = self.id.split("/")[0]
                raise UserError(
                    f"{self.id} cannot be created: there is no organisation or user {owner} on"
                    f" {self.api.endpoint}, or this token may not create repositories there"
                ) from error
            raise
        head = self.api.repo_info(self.id, repo_type=self.type).sha
        assert head is not None  # a repository begins with a commit
        return head

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

    def commit(self, head: str, changes: _Changes, settings: Settings) -> CommitInfo:
        """Upload, then commit onto `head` whatever changes."""
        if "README.md" in changes.uploads:  # before hours of uploading, not after
            _check_header(changes.uploads["README.md"], self.type)
        additions = [CommitOperationAdd(name, path) for name, path in changes.uploads.items()]
        if additions:
            # Without a .gitignore of its own, one in the repository would drop files silently.
            self.api.preupload_lfs_files(
                self.id,
                additions,
                repo_type=self.type,
                free_memory=False,
                gitignore_content="",
                create_pr=settings.create_pr,
            )
        deletions = [CommitOperationDelete(name, is_folder=False) for name in changes.deletions]
        try:
            return self.api.create_commit(
                self.id,
                [*additions, *deletions],
                commit_message=settings.message,
                repo_type=self.type,
                parent_commit=head,
                create_pr=settings.create_pr,
            )
        except httpx2.TransportError as error:
            if not settings.create_pr:
                raise
            raise UserError(  # a second attempt could open a second one
                f"{self.id}: the answer was lost and the pull request may be open: look there"
                " before you try again"
            ) from error


@dataclass
class _Attempt:
    """One attempt at a publish, which looks at the Hub anew each time it is called."""

    repository: _Repository
    files: dict[str, Path]
    settings: Settings
    compared: dict[str, str] | None = None  # what the repository held at the first attempt
    uploads: dict[str, Path] = field(default_factory=dict)  # of the first attempt
    deletions: list[str] = field(default_factory=list)

    def __call__(self) -> Published:
        repository, settings = self.repository, self.settings
        head = repository.find(settings)
        if head is None and settings.dry_run:
            return self._published(None, _Changes(self.files, []))
        head = head or repository.create(settings)
        remote = repository.files(head)
        changes = _compare(self.files, remote, repository)
        self._check_rival(remote, changes)
        tag = settings.tag
        tagged = repository.tagged_commit(tag)
        if tagged is not None and (tagged != head or changes):
            raise UserError(
                f"{repository.id}: the tag {tag} already names commit {tagged[:12]}, which holds"
                " something else; choose another tag"
            )
        if settings.dry_run:
            return self._published(None, changes)
        url = None
        if changes:
            done = repository.commit(head, changes, settings)
            head, url = done.oid, done.pr_url
        if tag is not None and tagged is None:
            repository.api.create_tag(
                repository.id, tag=tag, revision=head, repo_type=repository.type
            )
        return self._published(head, changes, url)

    def _check_rival(self, remote: dict[str, RepoFile], changes: _Changes) -> None:
        """Raises UserError where somebody changed, since the first attempt, a file of ours."""
        now = {name: file.blob_id for name, file in remote.items()}
        if self.compared is None:
            self.compared, self.uploads, self.deletions = now, changes.uploads, changes.deletions
            return
        touched = [*changes.uploads, *changes.deletions]
        moved = [name for name in touched if self.compared.get(name) != now.get(name)]
        if moved:
            raise UserError(
                f"{self.repository.id}: {moved[0]} was changed by somebody else meanwhile; nothing "
                "published: look at their commit, then push again"
            )

    def _published(
        self, commit: str | None, changes: _Changes, url: str | None = None
    ) -> Published:
        repository = self.repository
        # What an earlier attempt had committed before its answer was lost is ours, too.
        uploads = changes.uploads or self.uploads
        return Published(
            url=url or address(repository.api.endpoint, repository.type, repository.id),
            commit=commit,
            uploaded=tuple(uploads),
            skipped=tuple(name for name in self.files if name not in uploads),
            deleted=tuple(changes.deletions or self.deletions),
            bytes=sum(path.stat().st_size for path in uploads.values()),
        )


def _check_repo_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UserError(f"{repo_id!r} cannot be a repository: {error}") from None
    if "/" not in repo_id:
        raise UserError(f"{repo_id!r}: name the repository with its owner, as in org/{repo_id}")


@contextmanager
def _dressed_card(card: Path, repo_id: str, settings: Settings, rights: str) -> Iterator[Path]:
    """The card with the repository's name, its licence and title; a copy of it for a dry run.

    Raises UserError where no licence is stated.
    """
    text = before = card.read_text(encoding="utf-8", errors="surrogateescape")
    text = _NAMED.sub(repo_id, text)
    if settings.licence is not None:
        text = set_licence(text, check_licence(settings.licence))
    if settings.title is not None:
        text = set_title(text, settings.title)
    with tempfile.TemporaryDirectory() as scratch:
        dressed = Path(scratch) / card.name
        dressed.write_text(text, encoding="utf-8", errors="surrogateescape")
        if _states_nothing(dressed):
            known = f" {rights}" if rights else ""
            raise UserError(
                f"{card}: states no licence: give --licence with one of {usual()}.{known}"
            )
        if settings.dry_run:
            yield dressed
            return
    if text != before:
        card.write_text(text, encoding="utf-8", errors="surrogateescape")
    yield card


def _states_nothing(card: Path) -> bool:
    """Whether the card states no licence; a header that cannot be read is the Hub's to refuse."""
    header = read_header(card)
    return bool(header) and not header.get("license")


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


def _files(names: Sequence[str]) -> str:
    return "1 file" if len(names) == 1 else f"{len(names)} files"


def _git_sha1(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
