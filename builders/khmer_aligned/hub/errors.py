"""Errors of the Hub's clients, as one line with a way out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from khmer_aligned.errors import UserError

UNREACHABLE = (httpx2.TransportError, OfflineModeIsEnabled)

_LFS_REFUSAL = "LFS batch API returned errors"


def address(endpoint: str, repo_type: str, repo_id: str) -> str:
    """Where a browser finds the repository."""
    place = {"dataset": "datasets/", "space": "spaces/"}.get(repo_type, "")
    return f"{endpoint}/{place}{repo_id}"


@contextmanager
def plain_errors(
    repo_id: str, repo_type: str, endpoint: str, revision: str | None = None
) -> Iterator[None]:
    """Raise `UserError` in place of those of the clients' errors that the user can mend.

    The clients' own messages may quote signed addresses: only the Hub's message and the status
    code are passed on.
    """
    try:
        yield
    except UserError:
        raise
    except (httpx2.HTTPError, RevisionResolutionError, OSError, RuntimeError, ValueError) as error:
        # An upload that fails in a thread is wrapped: "Error while uploading 'data/...'".
        cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
        reason = _reason(cause, repo_id, repo_type, endpoint, revision)
        if reason is None:
            raise
        raise UserError(reason) from error


def _reason(
    error: BaseException, repo_id: str, repo_type: str, endpoint: str, revision: str | None
) -> str | None:
    match error:
        case OfflineModeIsEnabled():
            return f"{repo_id}: HF_HUB_OFFLINE forbids asking {endpoint}; unset it and try again"
        case RevisionResolutionError():
            return (
                f"{repo_id}: no folder of this name, {endpoint} cannot be reached, and the cache"
                " holds no copy; try again"
            )
        case httpx2.TransportError() | ConnectionError() | TimeoutError():
            # The Xet client has one error for a broken line and a refusal, and tells them apart
            # in its text only: "HTTP status client error (403 Forbidden)".
            refused = re.search(r"\((\d{3} [A-Z][\w ]*)\)", str(error))
            how = refused[1] if refused else type(error).__name__
            return f"{repo_id}: the transfer with {endpoint} failed ({how}); try again"
        case RevisionNotFoundError():
            return f"{repo_id} has no revision {revision or 'main'}"
        case GatedRepoError():
            where = address(endpoint, repo_type, repo_id)
            return f"{repo_id} is gated: ask for access on {where}, then `hf auth login`"
        case RepositoryNotFoundError():
            return (
                f"{repo_id}: no folder of this name, and no {repo_type} on {endpoint} that may be"
                " read from here (a private one needs `hf auth login` or HF_TOKEN)"
            )
        case HfHubHTTPError():
            return _refusal(error, repo_id, endpoint)
        case OSError() if error.filename:
            return f"{error.filename}: {error.strerror}"
        case ValueError() if str(error).startswith(_LFS_REFUSAL):
            answer = " ".join(str(error).removeprefix(_LFS_REFUSAL).strip(": ").split())
            return f"{repo_id}: {endpoint} does not take the files: {answer}"
    return None


def _refusal(error: HfHubHTTPError, repo_id: str, endpoint: str) -> str:
    status = error.response.status_code
    message = " ".join((error.server_message or "").split())
    detail = f" ({message})" if message else ""
    if status == 401:
        return f"{endpoint} does not accept the token: run `hf auth login`, or correct HF_TOKEN"
    if status == 403:
        return (
            f"{repo_id}: the token has no permission to do this{detail}; use one with write access"
        )
    if status == 412:
        return f"{repo_id} was changed by somebody else meanwhile; nothing published, try again"
    if status == 429 or status >= 500:
        return (
            f"{repo_id}: {endpoint} answered {status}{detail}; try again later:"
            " only what is missing will be uploaded"
        )
    return f"{repo_id}: {endpoint} refused with {status}{detail}"
