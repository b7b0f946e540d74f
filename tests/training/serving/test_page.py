"""A person with a browser: a file, a microphone, and what goes wrong."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.serving.app import Limits, Server
from khmer_whisper.transcription.transcriber import Transcriber

from ...browser import CHROMIUM, WAIT
from ...conftest import ASSETS
from .conftest import running, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(str(ASSETS / "whisper"))


@pytest.fixture(scope="module")
def address(transcriber) -> Iterator[str]:
    """A server without a token, for uploads of at most 1 MB."""
    with running(Server(transcriber, "demo", Limits(megabytes=1))) as address:
        yield address


@pytest.fixture(scope="module")
def expected(transcriber, speech_file) -> str:
    return transcriber.transcribe(speech_file).collect().text


@pytest.fixture
def speaker(browser, speech_file) -> Iterator:
    """A page whose microphone hears `speech_file`."""
    speaking = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={speech_file}%noloop",
        ],
    )
    page = speaking.new_page()
    page.set_default_timeout(WAIT)
    yield page
    speaking.close()


def open_page(page, address: str) -> None:
    page.goto(address)
    page.locator("#model", has_text="demo").wait_for()


def read_result(page) -> str:
    page.locator("#save").wait_for()
    return page.inner_text("#result").strip()


def test_a_chosen_file_becomes_text_and_can_be_saved(page, address, speech_file, expected):
    open_page(page, address)
    for _ in range(2):  # the same file again is a new request
        page.set_input_files("#file", speech_file)
        assert read_result(page) == expected
        assert page.inner_text("#status") == speech_file.name
        with page.expect_download() as download:
            page.click("#save")
        assert download.value.suggested_filename == "ខ្មែរ.txt"
        assert Path(download.value.path()).read_text("utf-8") == expected + "\n"


def test_another_form_of_the_result_is_made_at_once(page, address, speech_file, expected):
    open_page(page, address)
    page.set_input_files("#file", speech_file)
    assert read_result(page) == expected
    page.select_option("#format", "srt")
    page.locator("#result", has_text="-->").wait_for()
    assert page.inner_text("#save") == "Save ខ្មែរ.srt"
    page.select_option("#format", "verbose_json")
    page.locator("#result", has_text='"segments"').wait_for()
    assert json.loads(page.inner_text("#result"))["text"] == expected


DROP = """([content, name]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
  for (const type of ["dragover", "drop"]) {
    const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.getElementById("drop").dispatchEvent(event);
  }
}"""


def drop(page, path: Path) -> None:
    page.evaluate(DROP, [base64.b64encode(path.read_bytes()).decode(), path.name])


def test_a_dropped_file_becomes_text(page, address, speech_file, expected):
    open_page(page, address)
    drop(page, speech_file)
    assert read_result(page) == expected
    assert "over" not in (page.get_attribute("#drop", "class") or "")


def test_speech_into_the_microphone_becomes_text(speaker, address):
    open_page(speaker, address)
    speaker.click("#speak")
    speaker.locator("#speak", has_text="Stop").wait_for()
    speaker.wait_for_timeout(3000)
    speaker.click("#speak")
    speaker.locator("#save", has_text="Save speech.txt").wait_for()
    assert sum("ក" <= letter <= "៓" for letter in speaker.inner_text("#result")) > 5
    assert speaker.inner_text("#speak") == "Speak"


def test_errors_are_shown_in_one_line(page, address, tmp_path):
    open_page(page, address)
    notes, long = tmp_path / "notes.mp3", tmp_path / "long.wav"
    notes.write_bytes(b"no audio " * 99)
    samples = audio.load(ASSETS / "recordings" / "farm.ogg", name="farm")
    soundfile.write(long, [*samples] * 4, SAMPLE_RATE)
    for path, reason in ((notes, "notes.mp3: "), (long, "the upload is larger than 1 MB")):
        page.set_input_files("#file", path)
        page.locator("#status.error", has_text=reason).wait_for()
        assert "\n" not in page.inner_text("#status")
        assert page.is_hidden("#result") and page.is_hidden("#save")


def test_a_key_is_asked_for_where_one_is_needed(page, demo_address, speech_file):
    page.goto(demo_address)
    page.locator("#key").wait_for()
    page.set_input_files("#file", speech_file)
    page.locator("#status.error", has_text="the API key is not this server's").wait_for()
    page.fill("#key", "secret")
    page.locator("#key").blur()
    page.locator("#model", has_text="demo").wait_for()
    page.set_input_files("#file", speech_file)
    page.locator("#result:visible").wait_for()


def test_nothing_is_wider_than_a_telephone(page, address, speech_file, expected):
    page.set_viewport_size({"width": 360, "height": 640})
    open_page(page, address)
    page.set_input_files("#file", speech_file)
    assert read_result(page) == expected
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_last_file_is_the_one_that_is_shown(page, waiting, speech_file, tmp_path):
    """Who chooses another file does not wait for the first one."""
    other = tmp_path / "other.wav"
    other.write_bytes(speech_file.read_bytes())
    page.goto(waiting.address)
    page.set_input_files("#file", speech_file)
    until(lambda: waiting.model.begun == 1)
    page.set_input_files("#file", other)
    until(lambda: waiting.model.begun == 2)  # the first one has been dropped
    waiting.model.finish.set()
    page.wait_for_function("document.getElementById('save').download === 'other.txt'")
    assert page.inner_text("#status").startswith("other.wav")
