"""The fixture `page`: a headless Chromium; tests that ask for it skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 180_000  # milliseconds for one step; a busy machine needs some


def launch(player: Any) -> Any:
    """A headless Chromium of a playwright."""
    return player.chromium.launch(
        executable_path=CHROMIUM,
        args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
    )


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium fonts-khmeros")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as player:
        chromium = launch(player)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser) -> Iterator:
    """A page in which an error of a script, or a refusal by its policy, fails the test."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(WAIT)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield page
    page.close()
    # A request that was refused, or found a server that was killed, is no error of the page.
    wrong = [text for text in errors if "Failed to load resource" not in text]
    assert wrong == [], wrong
