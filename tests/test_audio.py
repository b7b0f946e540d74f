"""Any file to the same waveform."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

SECONDS = 2.5


def tone(rate: int, channels: int = 1) -> np.ndarray:
    """440 Hz in the first channel, silence in the others: (n, channels)."""
    time = np.arange(int(rate * SECONDS)) / rate
    samples = np.zeros((len(time), channels), np.float32)
    samples[:, 0] = 0.5 * np.sin(2 * np.pi * 440 * time)
    return samples


def loudest_hertz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(waveform))


@pytest.mark.parametrize(
    ("ending", "kind", "subtype"),
    [
        ("wav", "WAV", "PCM_24"),
        ("wav", "WAV", "FLOAT"),
        ("flac", "FLAC", "PCM_16"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
    ],
)
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (16_000, 1), (8_000, 1)])
def test_libsndfile_formats_rates_and_channels(tmp_path, ending, kind, subtype, rate, channels):
    path = tmp_path / f"tone.{ending}"
    sf.write(path, tone(rate, channels), rate, format=kind, subtype=subtype)
    waveform = audio.load(path, name="tone")
    assert waveform.dtype == np.float32
    assert len(waveform) == pytest.approx(SECONDS * SAMPLE_RATE, abs=0.08 * SAMPLE_RATE)
    assert loudest_hertz(waveform) == pytest.approx(440, abs=1)
    middle = waveform[SAMPLE_RATE // 2 : 2 * SAMPLE_RATE]
    assert np.abs(middle).max() == pytest.approx(0.5 / channels, rel=0.1)


def write_tracks(path: Path, codec: str, tracks: list[np.ndarray], rate: int) -> None:
    """A file of FFmpeg's with an audio track for each of (n, 2) samples."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=rate, layout="stereo") for _ in tracks]
        for stream, samples in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T), format="fltp", layout="stereo"
            )
            frame.rate = rate
            resampler = av.AudioResampler(
                format=stream.format,
                layout="stereo",
                rate=rate,
                frame_size=stream.frame_size or 960,
            )
            for part in resampler.resample(frame) + resampler.resample(None):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))


@pytest.mark.parametrize(("ending", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("webm", "libopus")])
def test_formats_of_ffmpeg(tmp_path, ending, codec):
    path = tmp_path / f"tone.{ending}"
    write_tracks(path, codec, [tone(48_000, 2)], 48_000)
    waveform = audio.load(path, name="tone")
    assert len(waveform) == pytest.approx(SECONDS * SAMPLE_RATE, abs=0.08 * SAMPLE_RATE)
    assert loudest_hertz(waveform) == pytest.approx(440, abs=1)
    assert np.array_equal(waveform, audio.load(path.read_bytes(), name="tone"))


def test_a_stretch_is_that_part_of_the_whole(recordings):
    path = recordings / "farm.ogg"
    whole = audio.load(path, name="farm")
    rate = sf.info(path).samplerate
    part = audio.load(path, name="farm", start=3.0, end=5.5)
    assert len(part) == pytest.approx(2.5 * SAMPLE_RATE, abs=1)
    expected = whole[3 * SAMPLE_RATE :][: len(part)]
    tolerance = 1e-6 if rate == SAMPLE_RATE else 0.05
    assert np.abs(part - expected)[100:-100].max() < tolerance


def test_flac_gives_the_samples_back_to_16_bits():
    samples = np.array([0.0, 0.25, -0.5, 1.5, -2.0] * 400, np.float32)
    data, rate = sf.read(io.BytesIO(audio.encode_flac(samples)))
    assert rate == SAMPLE_RATE
    assert np.abs(data - np.clip(samples, -1, 1)).max() < 2**-14


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty file"),
        (b"not audio at all" * 99, "cannot be decoded"),
        (None, "cannot be open"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content, complaint):
    path = tmp_path / "speech.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^shelf/speech\.wav: .*{complaint}"):
        audio.load(path, name="shelf/speech.wav")


def test_a_stretch_behind_the_end_and_samples_that_are_no_numbers(tmp_path):
    path = tmp_path / "x.wav"
    sf.write(path, np.zeros(1600, np.float32), SAMPLE_RATE)
    with pytest.raises(UserError, match=r"no audio between 1\.0 s and 2\.0 s"):
        audio.load(path, name="x.wav", start=1.0, end=2.0)
    sf.write(path, np.full(1600, np.nan, np.float32), SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(UserError, match="not numbers"):
        audio.load(path, name="x.wav")


def test_a_file_of_several_tracks_says_so_and_gives_the_one_asked_for(tmp_path, capsys):
    path = tmp_path / "film.mkv"
    first = tone(48_000, 2)
    write_tracks(path, "aac", [first, first * 0], 48_000)
    assert np.abs(audio.load(path, name="film")).max() > 0.2
    assert "film: holds 2 audio tracks, and track 1 is read" in capsys.readouterr().err
    assert np.abs(audio.load(path, name="film", track=2)).max() < 0.01
    with pytest.raises(UserError, match="2 audio tracks and no track 3"):
        audio.load(path, name="film", track=3)


@pytest.mark.parametrize(
    "attack",
    [
        "ffconcat version 1.0\nfile 'secret.wav'\n",
        "ffconcat version 1.0\nfile '{folder}/secret.wav'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{folder}/secret.wav\n#EXT-X-ENDLIST\n",
        "v=0\nm=audio 5004 RTP/AVP 0\nc=IN IP4 127.0.0.1\n",
    ],
)
def test_a_file_that_names_other_files_opens_none_of_them(tmp_path, monkeypatch, attack):
    sf.write(tmp_path / "secret.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    monkeypatch.chdir(tmp_path)
    data = attack.format(folder=tmp_path).encode()
    path = tmp_path / "attack.wav"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(UserError, match=r"^attack: cannot be decoded") as caught:
            audio.load(source, name="attack")
        assert str(tmp_path) not in str(caught.value)
        assert caught.value.category == "the audio cannot be read"
