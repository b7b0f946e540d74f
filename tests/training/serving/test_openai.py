"""OpenAI's own client, unmodified, against the server."""

import openai
import pytest

from khmer_whisper.transcription.transcriber import Transcriber

from ...conftest import ASSETS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(demo_address):
    return openai.OpenAI(base_url=f"{demo_address}/v1", api_key="secret", max_retries=0)


@pytest.fixture(scope="module")
def expected(speech_file):
    return Transcriber(str(ASSETS / "whisper")).transcribe(speech_file).collect()


def test_the_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["demo"]


def test_json_holds_the_text(client, speech_file, expected):
    with speech_file.open("rb") as file:
        result = client.audio.transcriptions.create(model="demo", file=file, language="km")
    assert result.text == expected.text
    assert sum("ក" <= c <= "៓" for c in result.text) > 10


def test_verbose_json_holds_segments_and_words(client, speech_file, expected):
    result = client.audio.transcriptions.create(
        model="whisper-1",
        file=speech_file,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0,
    )
    assert (result.language, result.text) == ("khmer", expected.text)
    assert float(result.duration) == pytest.approx(5.0)
    assert [s.text for s in result.segments] == [s.text for s in expected.segments]
    assert [s.start for s in result.segments] == [round(s.start, 3) for s in expected.segments]
    assert all(word.word in result.text for word in result.words)
    starts = [word.start for word in result.words]
    assert starts == sorted(starts) and starts[0] >= 0 and result.words[-1].end <= 5.0


@pytest.mark.parametrize(
    ("form", "beginning"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n"), ("text", "")]
)
def test_subtitles_and_text_are_plain(client, speech_file, expected, form, beginning):
    text = client.audio.transcriptions.create(
        model="demo", file=speech_file, response_format=form, prompt="កសិករ"
    )
    assert text.startswith(beginning)
    if form != "text":
        assert "-->" in text


def test_a_file_that_is_no_audio_is_one_line(client):
    with pytest.raises(openai.BadRequestError) as error:
        client.audio.transcriptions.create(model="demo", file=("notes.mp3", b"no audio " * 99))
    message = error.value.body["message"]
    assert message.startswith("notes.mp3: ") and "\n" not in message and "/tmp" not in message


def test_what_the_server_does_not_do_is_refused(client, speech_file):
    def send(**options):
        return client.audio.transcriptions.create(
            **{"model": "demo", "file": speech_file} | options
        )

    with pytest.raises(openai.NotFoundError, match="there is no model other here, only demo"):
        send(model="other")
    with pytest.raises(openai.BadRequestError, match="0 is the only temperature"):
        send(temperature=0.5)
    with pytest.raises(openai.BadRequestError, match="choose from json, text"):
        send(response_format="diarized_json")
    with pytest.raises(openai.BadRequestError, match="words need response_format verbose_json"):
        send(timestamp_granularities=["word"])
    with pytest.raises(openai.BadRequestError, match="xx"):
        send(language="xx")


def test_another_key_is_refused(demo_address, speech_file):
    client = openai.OpenAI(base_url=f"{demo_address}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError, match="the API key is not this server's"):
        client.audio.transcriptions.create(model="demo", file=speech_file)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()
