"""Any audio file to mono float32 at 16 kHz, and samples to FLAC bytes.

Files are decoded block by block and resampled on the way, so hours of 48 kHz stereo never stand
in memory at their own rate.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile as sf
import soxr

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE, Problem

_SNDFILE = {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au"}
_FFMPEG = {".m4a", ".m4b", ".mp4", ".aac", ".webm", ".mka", ".mkv"}
SUFFIXES = frozenset(_SNDFILE | _FFMPEG)
# The containers that FFmpeg may open. Playlists (concat, hls, dash) are none of them: they name
# other files, and FFmpeg would open those.
_FORMATS = "mov,mp4,m4a,matroska,webm,aac,mp3,ogg,flac,wav,aiff,au,amr,asf,avi,flv,mpegts,mpeg,caf"
_BLOCK = 1 << 18  # samples a channel
_SPARE = 8  # an array that grows has room for an eighth more
_LOUDEST = 16.0  # of full scale; what was mixed or decoded too loud stays well below


def load(
    source: Path | bytes,
    *,
    name: str,
    start: float | None = None,
    end: float | None = None,
    track: int = 1,
) -> np.ndarray:
    """Decode `source` to a mono float32 waveform (n,) at `SAMPLE_RATE`, within [-1, 1] or so.

    Channels are averaged. start, end: seconds in the file. track: which audio track of a video,
    counted from 1. name: what errors call it. libsndfile reads it (wav, flac, mp3, ogg, opus),
    else FFmpeg through PyAV (m4a, mp4, webm); neither opens any other file than `source`.

    Raises UserError where the file is missing, empty or damaged, and for samples that are not
    numbers or far beyond full scale.
    """
    return _join(stream(source, name=name, start=start, end=end, track=track))


def stream(
    source: Path | bytes,
    *,
    name: str,
    start: float | None = None,
    end: float | None = None,
    track: int = 1,
) -> Iterator[np.ndarray]:
    """What `load` gives, in blocks of some seconds, so that memory does not grow with the file.

    Raises the same errors: those of a damaged block when it is reached.
    """
    samples = 0
    with _open(source, name) as file:
        try:
            try:
                rate, blocks = _sndfile_blocks(file)
            except sf.LibsndfileError:
                file.seek(0)
                rate, blocks = _ffmpeg_blocks(file, name, track)
            first = round((start or 0.0) * rate)
            last = None if end is None else round(end * rate)
            for block in _gather(_resample(_stretch(blocks, first, last), rate)):
                _check(block, name)
                samples += len(block)
                yield block
        except (sf.LibsndfileError, av.error.FFmpegError) as error:
            raise _unreadable(
                f"{name}: cannot be decoded ({_reason(error)}); convert it, or leave it out"
            ) from error
    if samples == 0:
        where = "" if start is None and end is None else f" between {start or 0} s and {end} s"
        raise _unreadable(f"{name}: holds no audio{where}")


def _check(block: np.ndarray, name: str) -> None:
    """Raises UserError for samples (n,) that are no sound."""
    peak = find_peak(block)
    if not np.isfinite(peak):
        raise _unreadable(f"{name}: holds samples that are not numbers (NaN or infinite)")
    if peak > _LOUDEST:  # integers written as floats; clipped, nothing would be left of them
        raise _unreadable(
            f"{name}: holds samples of {peak:.3g} where 1 is full scale; scale them to [-1, 1]"
        )


def find_peak(waveform: np.ndarray) -> float:
    """The largest absolute value of a waveform (n,), which is not copied; NaN where one is NaN."""
    return float(np.maximum(waveform.max(), -waveform.min()))


def encode_flac(samples: np.ndarray) -> bytes:
    """A mono waveform (n,) at `SAMPLE_RATE` as 16-bit FLAC; what exceeds [-1, 1] is clipped."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(samples, -1.0, 1.0), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _open(source: Path | bytes, name: str) -> BinaryIO:
    """The file to decode. It is opened here, so that no decoder is ever given a name to open."""
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        if not file.seek(0, io.SEEK_END):
            file.close()
            raise _unreadable(f"{name}: is an empty file")
        file.seek(0)
        return file
    except OSError as error:
        raise _unreadable(f"{name}: cannot be opened ({error.strerror})") from error


def _unreadable(message: str) -> UserError:
    return UserError(message, category=Problem.UNREADABLE_AUDIO)


def _sndfile_blocks(file: BinaryIO) -> tuple[int, Iterator[np.ndarray]]:
    sound = sf.SoundFile(file)

    def blocks() -> Iterator[np.ndarray]:
        with sound:
            while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
                yield block.mean(axis=1)

    return sound.samplerate, blocks()


def _ffmpeg_blocks(file: BinaryIO, name: str, track: int) -> tuple[int, Iterator[np.ndarray]]:
    container = av.open(file, mode="r", options={"format_whitelist": _FORMATS})
    tracks = container.streams.audio
    if not 1 <= track <= len(tracks):
        container.close()
        number = f"{len(tracks)} audio tracks and no track {track}" if tracks else "no audio stream"
        raise _unreadable(f"{name}: holds {number}")
    if len(tracks) > 1:
        note(f"{name}: holds {len(tracks)} audio tracks, and track {track} is read")
    stream = tracks[track - 1]
    to_float = av.AudioResampler(format="fltp")

    def blocks() -> Iterator[np.ndarray]:
        with container:
            for frame in container.decode(stream):
                for plain in to_float.resample(frame):
                    yield plain.to_ndarray().mean(axis=0)

    return stream.rate, blocks()


def _stretch(blocks: Iterator[np.ndarray], first: int, last: int | None) -> Iterator[np.ndarray]:
    """Samples [first, last) of the blocks; mp3 has no exact seek, so what precedes is decoded."""
    position = 0
    for block in blocks:
        stop = len(block) if last is None else min(len(block), last - position)
        begin = max(0, first - position)
        if begin < stop:
            yield block[begin:stop]
        position += len(block)
        if last is not None and position >= last:
            return


def _resample(blocks: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Blocks at `rate` to blocks at `SAMPLE_RATE`, by libsoxr at high quality."""
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _gather(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Small blocks, FFmpeg's have a thousand samples, joined to some seconds."""
    parts: list[np.ndarray] = []
    for block in blocks:
        parts.append(block)
        if sum(map(len, parts)) >= _BLOCK // 4:
            yield np.concatenate(parts)
            parts = []
    if rest := [part for part in parts if len(part)]:
        yield np.concatenate(rest)


def _join(blocks: Iterator[np.ndarray]) -> np.ndarray:
    """Blocks of samples in one array, which grows in place: hours never lie in memory twice."""
    waveform, length = np.empty(_BLOCK, np.float32), 0
    for block in blocks:
        if length + len(block) > len(waveform):
            waveform.resize(length + len(block) + length // _SPARE, refcheck=False)
        waveform[length : length + len(block)] = block
        length += len(block)
    waveform.resize(length, refcheck=False)
    return waveform


def _reason(error: sf.LibsndfileError | av.error.FFmpegError) -> str:
    """What a decoder says, without the file's path on this machine."""
    text = error.error_string if isinstance(error, sf.LibsndfileError) else error.strerror
    return " ".join((text or "").split()).removesuffix(".")
