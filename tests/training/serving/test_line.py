"""Many clients, large uploads, and clients that go away."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from khmer_whisper.serving import uploads
from khmer_whisper.serving.errors import RequestError
from khmer_whisper.serving.line import Line

from .conftest import PATIENCE, until

FORM = {"model": "waiting"}
MEGABYTE = 1024 * 1024


def post(address: str, **options) -> httpx.Response:
    files = {"file": ("a.wav", b"sound")}
    url = f"{address}/v1/audio/transcriptions"
    return httpx.post(url, data=FORM, files=files, timeout=PATIENCE, **options)


def begin(address: str) -> socket.socket:
    """A client that has sent its whole request and waits."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        b"sound\r\n--x--\r\n"
    )
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname, parts.port), PATIENCE)
    connection.sendall(head.encode() + body)
    return connection


def test_more_than_the_line_holds_are_told_to_come_back(waiting):
    with ThreadPoolExecutor(5) as pool:
        first = [pool.submit(post, waiting.address) for _ in range(3)]
        until(lambda: waiting.server.line.length == 3 and waiting.model.begun == 1)
        for refused in pool.map(post, repeat(waiting.address, 2)):
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.json()["error"]["code"] == "server_busy"
        waiting.model.finish.set()
        assert [done.result().status_code for done in first] == [200, 200, 200]
    assert waiting.server.line.length == 0


def test_the_model_has_one_request_at_a_time(waiting):
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(post, waiting.address) for _ in range(3)]
        until(lambda: waiting.server.line.length == 3 and waiting.model.begun == 1)
        assert waiting.model.running == 1
        waiting.model.finish.set()
        assert all(item.result().status_code == 200 for item in done)


def test_a_client_that_goes_away_frees_its_place(waiting):
    served, queued = begin(waiting.address), None
    until(lambda: waiting.model.running == 1)
    queued = begin(waiting.address)
    until(lambda: waiting.server.line.length == 2)
    queued.close()
    until(lambda: waiting.server.line.length == 1)
    assert waiting.model.begun == 1  # the model has never seen it
    served.close()
    until(lambda: waiting.server.line.length == 0 and waiting.model.running == 0)
    waiting.model.finish.set()
    assert post(waiting.address).status_code == 200


def test_an_upload_over_the_limit_is_refused_by_what_it_states(waiting):
    url = f"{waiting.address}/v1/audio/transcriptions"
    files = {"file": ("a.wav", b"0" * (2 * MEGABYTE))}
    response = httpx.post(url, data=FORM, files=files, timeout=PATIENCE)
    assert response.status_code == 413
    assert response.json()["error"]["message"].startswith("the upload is larger than 1 MB")
    assert waiting.model.begun == 0


def test_an_upload_that_does_not_state_its_size_is_cut_at_the_limit(waiting):
    sent = []

    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(5):
            sent.append(MEGABYTE)
            yield b"0" * MEGABYTE

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    url = f"{waiting.address}/v1/audio/transcriptions"
    response = httpx.post(url, content=body(), headers=headers, timeout=PATIENCE)
    assert response.status_code == 413
    assert waiting.server.line.length == 0


def test_a_client_that_stops_sending_frees_its_place(waiting):
    parts = urlsplit(waiting.address)
    connection = socket.create_connection((parts.hostname, parts.port), PATIENCE)
    connection.sendall(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    until(lambda: waiting.server.line.length == 1)
    connection.close()
    until(lambda: waiting.server.line.length == 0)


def test_an_upload_that_stops_coming_is_given_up(waiting, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_IDLE_SECONDS", 0.2)
    parts = urlsplit(waiting.address)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as connection:
        connection.sendall(
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        assert connection.recv(20).startswith(b"HTTP/1.1 408")
    until(lambda: waiting.server.line.length == 0)


def test_who_is_refused_is_told_when_there_may_be_a_place():
    line = Line(2)
    line.pace, waits = 7.0, []
    for length in (2, 20):
        line.length = length
        with pytest.raises(RequestError) as error, line.place():
            pass
        waits.append(error.value.headers["Retry-After"])
    assert waits == ["14", "60"]


def test_a_form_that_cannot_be_read_is_one_line(waiting):
    url = f"{waiting.address}/v1/audio/transcriptions"
    for content, kind, reason in [
        (b"{}", "application/json", "multipart/form-data"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", "the form has no file"),
        (b"nonsense", "multipart/form-data; boundary=x", "the form cannot be read"),
    ]:
        response = httpx.post(url, content=content, headers={"Content-Type": kind})
        error = json.loads(response.text)["error"]
        assert (response.status_code, error["type"]) == (400, "invalid_request_error")
        assert reason in error["message"] and "\n" not in error["message"]


def test_no_page_of_another_site_reaches_it_under_its_own_name(waiting):
    response = httpx.get(f"{waiting.address}/v1/models", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert httpx.get(f"{waiting.address}/v1/models").json()["data"][0]["id"] == "waiting"
