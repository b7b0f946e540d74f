"""Recordings to segments: in order, as they are found, the same in every batch and engine."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE, Word
from khmer_aligned.speech import find_speech
from khmer_whisper import metrics
from khmer_whisper import model as models
from khmer_whisper.transcription.engine import Decoded, longest_stretch
from khmer_whisper.transcription.options import Options
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.transcriber import Transcriber, transcribe

from ..conftest import VOICES, voice


class Scripted:
    """An engine that gives the results of a list, and keeps what it was asked."""

    name = "scripted"
    seconds, clip_seconds, positions = 30.0, 5.0, 448
    languages = ("km",)

    def __init__(self, labeller, *results: Decoded) -> None:
        self.labeller = labeller
        self.results = list(results)
        self.asked: list[tuple[int, float]] = []
        self.prompts: list[list[int]] = []

    def decode(self, waveforms, prompt, *, beams, temperature):
        self.asked.append((len(waveforms), temperature))
        self.prompts.append(list(prompt))
        result = self.results.pop(0) if self.results else Decoded("ទឹក", False, -0.2, 0.0)
        return [result] * len(waveforms)


@pytest.fixture
def scripted(tiny):
    def make(*results: Decoded, **settings) -> Transcriber:
        transcriber = Transcriber(tiny, **settings)
        transcriber.engine = Scripted(tiny.labeller, *results)
        return transcriber

    return make


WEAK, LOOP = Decoded("ធំ", False, -1.5, 0.0), Decoded("ធំ" * 60, False, -0.1, 0.0)
GOOD, SILENT = Decoded("ទឹក", False, -0.4, 0.0), Decoded("ធំ", False, -1.5, 0.9)


def test_segments_come_while_the_file_is_read(scripted):
    transcriber = scripted()
    stream = transcriber.transcribe(np.tile(voice(20), 12), Options(batch_size=2))
    next(stream)
    assert stream.duration < 130  # of 240 seconds
    assert transcriber.engine.asked == [(2, 0.0)]
    rest = list(stream)
    assert stream.duration == 240 and stream.count == len(rest) + 1


def test_times_are_those_of_the_speech(scripted):
    waveform = voice(20)
    segments = list(scripted().transcribe(waveform))
    assert [span for segment in segments for span in segment.speech] == find_speech(waveform)
    for segment in segments:
        assert (segment.start, segment.end) == (segment.speech[0].start, segment.speech[-1].end)


@pytest.mark.parametrize(
    ("results", "text", "temperature", "calls"),
    [
        ([GOOD], "ទឹក", 0.0, 1),
        ([WEAK, GOOD], "ទឹក", 0.2, 2),
        ([LOOP, WEAK, GOOD], "ទឹក", 0.4, 3),
        ([WEAK, LOOP, LOOP, LOOP, LOOP, LOOP], "ធំ", 0.0, 6),  # the first was the best
    ],
)
def test_a_weak_text_is_decoded_again(scripted, results, text, temperature, calls):
    transcriber = scripted(*results)
    (segment,) = transcriber.transcribe(voice(3))
    assert (segment.text, segment.temperature) == (text, temperature)
    assert len(transcriber.engine.asked) == calls


def test_without_fallback_it_is_decoded_once(scripted):
    transcriber = scripted(WEAK, GOOD)
    (segment,) = transcriber.transcribe(voice(3), Options(fallback=False))
    assert segment.text == "ធំ" and segment.avg_logprob == -1.5


def test_nothing_is_written_where_the_model_says_that_nobody_speaks(scripted):
    assert list(scripted(SILENT).transcribe(voice(3))) == []
    noise = 0.05 * np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE)
    transcriber = scripted()
    assert list(transcriber.transcribe(noise.astype(np.float32))) == []
    assert transcriber.engine.asked == []


def test_a_language_that_the_model_was_not_tuned_on_is_noted_once(scripted, capsys):
    transcriber = scripted()
    for language in ("km", "en", "en"):
        list(transcriber.transcribe(voice(3), Options(language=language)))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the model was tuned on km, not on en: ")


def test_language_and_prompt_reach_the_decoder(scripted):
    transcriber = scripted()
    list(transcriber.transcribe(voice(3), Options(language="en", initial_prompt="ភ្នំពេញ")))
    tokenizer = transcriber.engine.labeller.tokenizer
    (prompt,) = transcriber.engine.prompts
    assert tokenizer.decode(prompt) == (
        "<|startofprev|>ភ្នំពេញ<|startoftranscript|><|en|><|transcribe|><|notimestamps|>"
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Options(language="xx"), r"no <\|xx\|>"),
        (Options(initial_prompt="ទឹក" * 400), "give at most half"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_file_is_read(scripted, options, complaint):
    with pytest.raises(UserError, match=complaint):
        scripted().transcribe("no/such/file.wav", options)


def test_words_are_timed_from_the_start_of_the_recording(scripted):
    def time_words(waveforms, texts):
        assert len(waveforms) == len(texts) > 1
        return [[Word(text, 0.0, 0.5, 0.9)] for text in texts]

    transcriber = scripted(time_words=time_words)
    segments = list(transcriber.transcribe(voice(20), Options(word_times=True)))
    for segment in segments:  # a word of the quiet before the speech is moved to it
        assert segment.start - 0.101 <= segment.words[0].start <= segment.start
        assert segment.words[0].end < segment.end


def test_when_memory_runs_out_the_batch_is_halved(scripted):
    transcriber = scripted()
    engine, decode = transcriber.engine, transcriber.engine.decode

    def small(waveforms, prompt, **settings):
        if len(waveforms) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(waveforms, prompt, **settings)

    engine.decode = small
    segments = list(transcriber.transcribe(voice(60)))
    assert len(segments) > 4
    assert {count for count, _ in engine.asked} <= {1, 2}
    assert segments == list(scripted().transcribe(voice(60)))


@pytest.fixture(scope="module")
def demo() -> models.Whisper:
    """The demo's model, which writes Khmer, though not always what was said."""
    return models.load(str(VOICES.parent / "whisper"))


def test_a_file_is_what_its_waveform_is_and_the_batch_changes_nothing(demo, tmp_path, caplog):
    samples = voice(10)
    path = tmp_path / "speech.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    options = {"fallback": False, "quiet": True}
    result = transcribe(demo, samples, **options)
    assert (result.audio, result.duration) == ("", 10.0)
    assert result.segments == transcribe(demo, path, batch_size=1, **options).segments != []
    assert not caplog.records  # nothing that a user of Python could not act on


def test_sampling_gives_the_same_text_in_any_batch(tiny):
    engine = TorchEngine(tiny)
    waveforms = [voice(2)[start:][:16_000] for start in (0, 8_000, 16_000)]
    prompt = tiny.labeller.prompt()
    together = engine.decode(waveforms, prompt, beams=1, temperature=0.8)
    assert together[1:2] == engine.decode(waveforms[1:2], prompt, beams=1, temperature=0.8)
    assert together != engine.decode(waveforms, prompt, beams=1, temperature=0.0)


def test_the_mean_logprob_is_that_of_each_step(tiny):
    engine = TorchEngine(tiny)
    prompt = tiny.labeller.prompt()
    (result,) = engine.decode([voice(2)], prompt, beams=1, temperature=0.0)
    from khmer_whisper.decode import encode, search

    with torch.no_grad():
        encoded = encode(tiny, [voice(2)])
        (row,) = search(tiny, encoded, prompt)
        steps = []
        for position, label in enumerate(row):
            ids = torch.tensor([[*prompt, *row[:position]]])
            logits = tiny.model(encoder_outputs=(encoded,), decoder_input_ids=ids).logits[0, -1]
            logits[tiny.model.generation_config.suppress_tokens] = -torch.inf
            steps.append(logits.log_softmax(-1)[label].item())
    assert result.avg_logprob == pytest.approx(np.mean(steps), abs=1e-4)
    assert 0 <= result.no_speech_prob <= 1


def test_without_training_clips_the_decoder_limits_a_stretch(tiny):
    assert longest_stretch(TorchEngine(tiny)) == pytest.approx(63 / 36)
    assert longest_stretch(TorchEngine(replace(tiny, clip_seconds=1.2))) == 1.2
    assert longest_stretch(TorchEngine(replace(tiny, clip_seconds=60.0))) == tiny.seconds


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"compute_type": "int8"}, "it is float32 or bfloat16; export the model"),
        ({"engine": "ctranslate2"}, "is not written for CTranslate2: khmer-whisper export"),
    ],
)
def test_what_an_engine_cannot_do_is_said(tiny_folder, settings, complaint):
    with pytest.raises(UserError, match=complaint):
        Transcriber(tiny_folder, **settings)


@pytest.mark.parametrize("samples", [0, 800])
def test_what_is_too_short_is_said(tiny, samples):
    with pytest.raises(UserError, match=r"audio: (0|50) ms hold no word"):
        transcribe(tiny, np.zeros(samples, np.float32))


@pytest.mark.slow
def test_the_demos_model_writes_what_its_voice_says(demo):
    result = transcribe(demo, VOICES / "farm.ogg", quiet=True)
    reference = (VOICES / "farm.txt").read_text(encoding="utf-8")
    rate = metrics.score([reference], [result.text]).cer.rate
    assert rate < 0.75  # the base of the demo, before it is tuned
    times = [time for segment in result.segments for time in (segment.start, segment.end)]
    assert times == sorted(times)


@pytest.mark.slow
def test_an_export_gives_the_same_segments(demo, tmp_path):
    ctranslate2 = pytest.importorskip("ctranslate2")
    demo.save(tmp_path / "original")
    converter = ctranslate2.converters.TransformersConverter(
        str(tmp_path / "original"), copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    converter.convert(str(tmp_path / "export"))
    figures = {"clip_seconds": None, "max_target_positions": demo.max_labels + 1}
    (tmp_path / "export/export.json").write_text(json.dumps(figures))
    original, export = Transcriber(demo), Transcriber(tmp_path / "export", engine="ctranslate2")
    for options in (Options(fallback=False), Options(fallback=False, beams=3)):
        ours = list(original.transcribe(voice(20), options))
        theirs = list(export.transcribe(voice(20), options))
        assert [s.text for s in theirs] == [s.text for s in ours]
        for one, other in zip(ours, theirs, strict=True):
            assert (one.start, one.end) == (other.start, other.end)
            assert other.avg_logprob == pytest.approx(one.avg_logprob, abs=0.02)
            assert other.no_speech_prob == pytest.approx(one.no_speech_prob, abs=1e-3)
    with pytest.raises(UserError, match="is written for CTranslate2"):
        Transcriber(tmp_path / "export", engine="transformers")
