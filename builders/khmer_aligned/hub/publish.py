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

# Where the cards tell how the repository is used.
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
            if (sha256(path) == lfs.sha256) if lfs else (_git_sha1(path) == remote[name].blob_id):
                same.add(name)
            bar.update(remote[name].size)
    return {name: path for name, path in files.items() if name not in same}


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
