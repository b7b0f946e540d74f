"""Start the server and keep it running."""

from __future__ import annotations

import ipaddress

import uvicorn

from khmer_aligned.errors import UserError
from khmer_whisper.serving.app import Server, make_app


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, token: str | None) -> None:
    """Raises UserError for a server that others reach and that anybody may use."""
    if token is None and not is_loopback(host):
        raise UserError(
            f"--host {host}: others reach this address: give a --token that they need, or "
            "--host 127.0.0.1"
        )


def run(server: Server, host: str, port: int) -> None:
    """Serve until the process is stopped."""
    hosts = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else None
    uvicorn.run(make_app(server, hosts), host=host, port=port, log_level="warning")
