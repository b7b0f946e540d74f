"""Who is let in: this machine, or whoever has the token, and no page of another site."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from khmer_aligned.review.guard import Guard

HERE = "http://127.0.0.1:8017"
JSON = {"content-type": "application/json"}


def client(token=None, address=HERE) -> TestClient:
    async def answer(request):
        return JSONResponse({"ok": True})

    app = Starlette(
        routes=[Route("/", answer, methods=["GET", "POST"])],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token))],
    )
    return TestClient(app, base_url=address, follow_redirects=False)


@pytest.mark.parametrize("address", [HERE, "http://localhost:8017", "http://[::1]:8017"])
def test_this_machine_is_answered(address):
    response = client(address=address).get("/")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example:8017", "192.168.1.4"])
def test_another_name_for_this_machine_is_not_answered(name):
    """A page of another site that has its name resolved to 127.0.0.1."""
    assert client().get("/", headers={"host": name}).status_code == 421


def test_what_another_site_can_send_is_refused():
    here = client()
    assert here.post("/", json={}).status_code == 200
    assert here.post("/", content="{}", headers={"content-type": "text/plain"}).status_code == 415
    assert here.post("/", data={"a": "b"}).status_code == 415
    for header in ({"origin": "http://evil.example"}, {"origin": "null"},
                   {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):  # fmt: skip
        assert here.post("/", json={}, headers=header).status_code == 403
    assert here.post("/", json={}, headers={"origin": HERE}).status_code == 200
    assert here.post("/", content=b"x" * (1 << 20) + b"x", headers=JSON).status_code == 413


def test_with_a_token_nobody_comes_in_without_it():
    there = client("secret", "http://192.168.1.4:8017")
    assert there.get("/").status_code == 403
    assert there.get("/?token=guess").status_code == 403
    assert there.post("/?token=secret", json={}).status_code == 403
    welcome = there.get("/?token=secret")
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
    cookie = welcome.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert there.get("/").status_code == 200
    assert there.post("/", json={}).status_code == 200
