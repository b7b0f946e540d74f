"""What is tried again, and for how long."""

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from khmer_aligned.errors import UserError
from khmer_aligned.hub import patience
from khmer_aligned.hub.patience import with_patience


def answer(status: int, **headers: str) -> HfHubHTTPError:
    request = httpx2.Request("POST", "https://hub")
    response = httpx2.Response(status, request=request, headers=headers)
    return HfHubHTTPError("no", response=response)


@pytest.fixture
def waits(monkeypatch):
    waited = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    return waited


def attempts(error: Exception, fails: int) -> int:
    """How often an action was called that fails `fails` times and then succeeds."""
    calls = []

    def action() -> None:
        calls.append(1)
        if len(calls) <= fails:
            raise error

    with_patience(action, lambda line: None)
    return len(calls)


@pytest.mark.parametrize(
    "error",
    [
        *(answer(status) for status in (409, 412, 429, 500, 502, 503, 504)),
        httpx2.ReadTimeout("slow"),
        httpx2.ReadError("reset"),
        httpx2.ConnectError("refused"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(error, waits):
    assert attempts(error, 2) == 3
    assert waits == [1, 2]


def test_a_failed_thread_of_an_upload_counts_as_its_cause(waits):
    error = RuntimeError("Error while uploading 'data/x'")
    error.__cause__ = httpx2.WriteTimeout("slow")
    assert attempts(error, 1) == 2


def test_the_hub_says_when_to_come_back(waits):
    assert attempts(answer(429, **{"Retry-After": "7"}), 1) == 2
    assert waits == [7]
    with pytest.raises(HfHubHTTPError):  # an hour is too long to wait without a word
        attempts(answer(429, **{"Retry-After": "3600"}), 1)


@pytest.mark.parametrize("error", [answer(403), answer(404), UserError("no"), OSError("disk full")])
def test_what_will_not_pass_is_not(error, waits):
    with pytest.raises(type(error)):
        attempts(error, 1)
    assert waits == []


def test_there_is_a_limit(waits):
    with pytest.raises(httpx2.ReadTimeout):
        attempts(httpx2.ReadTimeout("slow"), 99)
    assert len(waits) == patience.ATTEMPTS - 1
