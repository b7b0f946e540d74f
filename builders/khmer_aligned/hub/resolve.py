"""A dataset's or a model's name to a pinned version of it: a local folder, or a Hub commit."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils import validate_repo_id

from khmer_aligned.errors import UserError
from khmer_aligned.hub.errors import UNREACHABLE, plain_errors
from khmer_aligned.hub.folder import MANAGED, RepoType, published_files, sha256
from khmer_aligned.stores import require_folder

FOLDER_VERSION = "sha256:"  # what the version of a folder begins with, and that of a commit not


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
        files = published_files(Path(self.path))
        managed = {name: files[name] for name in files if MANAGED[self.repo_type].fullmatch(name)}
        digest = hashlib.sha256()
        for name, path in (managed or files).items():
            digest.update(f"{sha256(path)}  {name}\n".encode())
        return FOLDER_VERSION + digest.hexdigest()

    @property
    def identity(self) -> str:
        """The name for records: `org/name@commit`, or a folder's name and its version.

        It does not tell where on this machine the folder lies.
        """
        if self.revision is not None:
            return self.pinned
        return f"{Path(self.path).resolve().name}@{self.version}"


def resolve(name: str, repo_type: RepoType) -> Source:
    """Find what `name` means: a local folder, or `org/name` or `org/name@revision` on the Hub.

    A dataset of several subsets is `org/name:subset`. An existing folder wins. A Hub name is pinned
    to the commit that its revision (branch, tag or commit; by default the main branch) names now;
    when the Hub cannot be reached, to the commit that it named when it was last asked. Raises
    `UserError`.
    """
    if not name:
        raise UserError(f"the {repo_type} has no name: give a folder or a Hub repository")
    folder = require_folder(name)
    if folder.is_dir():
        return Source(path=str(folder), revision=None, repo_type=repo_type)
    if folder.exists():
        raise UserError(f"{name} is a file; name the folder of a {repo_type}, or a Hub repository")
    repo_id, _, revision = name.partition("@")
    if revision.startswith(FOLDER_VERSION):
        raise UserError(
            f"{name} was a folder on the machine of whoever made this: name where yours lies"
        )
    subset = ""
    if repo_type == "dataset":
        repo_id, _, subset = repo_id.partition(":")
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise UserError(f"{name}: no such folder, and not a name on the Hub (org/name)") from None
    api = HfApi(token=stored_token())
    with plain_errors(repo_id, repo_type, api.endpoint, revision or None):
        commit = api.resolve_revision(
            repo_id, repo_type=repo_type, revision=revision or None
        ).resolved
        if commit == revision:  # the client takes a full hash on trust
            with suppress(*UNREACHABLE):
                api.repo_info(repo_id, repo_type=repo_type, revision=commit)
    return Source(path=repo_id, revision=commit, repo_type=repo_type, subset=subset or None)


def fetch(source: Source, name: str) -> Path | None:
    """One file of a source, downloaded where it is on the Hub; None where there is no such file.

    Raises `UserError` when the Hub cannot be reached and the cache holds no copy.
    """
    if source.revision is None:
        path = Path(source.path) / name
        return path if path.is_file() else None
    api = HfApi(token=stored_token())
    with plain_errors(source.path, source.repo_type, api.endpoint, source.revision):
        try:
            return Path(
                hf_hub_download(
                    source.path, name, repo_type=source.repo_type, revision=source.revision
                )
            )
        except LocalEntryNotFoundError as error:
            raise UserError(f"{source.pinned}: {name} cannot be fetched; try again") from error
        except EntryNotFoundError:
            return None


def load(source: Source, name: str, **options: Any) -> Any:
    """`datasets.load_dataset` of a source, named as the user did; every split, or a stream of it.

    Raises `UserError` where there is no such dataset or subset, or its files cannot be read.
    """
    # They take seconds to import, and naming a model or publishing needs none of them.
    import datasets
    from datasets.exceptions import DatasetsError

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


def stored_token() -> str | None:
    """The token of HF_TOKEN or `hf auth login`; UserError for one that no Hub can have given."""
    token = get_token()
    # The HTTP client would quote a token that it cannot send in its complaint.
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UserError(
            "the Hugging Face token holds characters that no token has:"
            " run `hf auth login` again, or correct HF_TOKEN"
        )
    return token
