"""Try again what a busy Hub or a broken line refused, a few times, and wait in between."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

T = TypeVar("T")

ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds; doubled after each attempt
LONGEST_WAIT = 300.0  # of a Hub that says when to come back; the window of its rate limits
# 412: the branch has moved since it was looked at.
BUSY = {408, 409, 412, 429, 500, 502, 503, 504}

# The Xet client tells a status in the text of its error only.
_XET_STATUS = re.compile(r"\((\d{3}) [A-Z][\w ]*\)")


def with_patience(action: Callable[[], T], say: Callable[[str], None]) -> T:
    """The result of `action`, called again when it failed for a reason that may pass.

    Such are the statuses of BUSY, a connection that is reset or refused, and a timeout. The wait is
    what the answer's Retry-After says, up to LONGEST_WAIT, else it grows from FIRST_WAIT. `action`
    has to look at the Hub anew each time: a request whose answer was lost may have been carried
    out. After ATTEMPTS the last error is raised. `say` is given a line before each wait.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return action()
        except (httpx2.HTTPError, OSError, RuntimeError) as error:
            cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
            wait = _wait(cause, attempt)
            if wait is None:
                raise
            reason = type(cause).__name__
            if isinstance(cause, HfHubHTTPError):
                reason = f"status {cause.response.status_code}"
            say(f"the Hub did not answer well ({reason}): attempt {attempt + 1} in {wait:g} s")
        time.sleep(wait)
    return action()


def _wait(error: BaseException, attempt: int) -> float | None:
    """Seconds until another attempt; None for an error that will not pass."""
    back_off = FIRST_WAIT * 2 ** (attempt - 1)
    if isinstance(error, OfflineModeIsEnabled):
        return None
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in BUSY:
            return None
        after = error.response.headers.get("Retry-After", "")
        asked = float(after) if re.fullmatch(r"\d+(\.\d+)?", after) else back_off
        return asked if asked <= LONGEST_WAIT else None
    if isinstance(error, (httpx2.TransportError, ConnectionError, TimeoutError)):
        refused = _XET_STATUS.search(str(error))
        return None if refused and int(refused[1]) not in BUSY else back_off
    return None
