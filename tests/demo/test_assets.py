"""The files that are bundled with the demo: small, consistent, and good enough for it."""

import csv
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

from demo_assets.make_recordings import SCRIPTS
from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import align
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.demo.run import ALIGNER, ASSETS, RECORDINGS, WHISPER

NAMES = sorted(SCRIPTS)


def transcript(name: str) -> str:
    return (RECORDINGS / f"{name}.txt").read_text(encoding="utf-8")


def true_words(name: str) -> list[dict]:
    with (RECORDINGS / f"{name}.words.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        {"word": r["word"], "span": (int(r["from"]), int(r["to"]))}
        | {key: float(r[key]) for key in ("start", "end")}
        for r in rows
    ]


def waveform(name: str) -> np.ndarray:
    return audio.load(RECORDINGS / f"{name}.ogg", name=name)


def test_all_together_are_small():
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert not [p for p in files if p.suffix in {".bin", ".pt", ".pkl"}]


def test_the_readme_says_what_they_are_for_and_whose():
    readme = (Path(__file__).parents[2] / "training" / "demo_assets" / "README.md").read_text(
        encoding="utf-8"
    )
    assert "serve the demo and the tests only" in " ".join(readme.split())
    assert "CC0" in readme
    for path in ASSETS.iterdir():
        assert f"assets/{path.name}" in readme


def test_the_manifest_names_every_recording_with_its_transcript():
    with (RECORDINGS / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["file_name"]).stem: row for row in csv.DictReader(file)}
    assert sorted(rows) == NAMES == sorted(path.stem for path in RECORDINGS.glob("*.ogg"))
    assert {row["split"] for row in rows.values()} == {"train", "validation", "test"}
    assert len({row["speaker"] for row in rows.values()}) == len(rows)
    for name in NAMES:
        assert rows[name]["transcription"] == transcript(name)


@pytest.mark.parametrize("name", NAMES)
def test_word_times_are_those_of_the_transcript_and_of_the_sound(name):
    text, words, samples = transcript(name), true_words(name), waveform(name)
    seconds = len(samples) / SAMPLE_RATE
    assert 60 <= seconds <= 120
    spoken = [word for word in Transcript.from_text(text).words if is_read(name, word.span)]
    assert [(w["word"], w["span"]) for w in words] == [(w.text, w.span) for w in spoken]
    ends = [0.0] + [word["end"] for word in words]
    for word, before in zip(words, ends, strict=False):
        assert before - 1e-3 <= word["start"] < word["end"] <= seconds

    def level(start: float, end: float) -> float:
        part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        return 10 * np.log10(np.mean(part**2))

    loud = np.median([level(word["start"], word["end"]) for word in words])
    pauses = [
        level(a["end"] + 0.05, b["start"] - 0.05)
        for a, b in pairwise(words)
        if 0.2 < b["start"] - a["end"] < 1.0  # a longer one holds what is not in the transcript
    ]
    assert len(pauses) > 10
    assert max(pauses) < loud - 12


def is_read(name: str, span: tuple[int, int]) -> bool:
    unspoken = SCRIPTS[name].unspoken
    if not unspoken:
        return True
    start = transcript(name).index(unspoken)
    return not start <= span[0] < start + len(unspoken)


def test_one_transcript_says_too_much_and_one_too_little():
    assert sum(bool(script.unspoken) for script in SCRIPTS.values()) == 1
    too_little = [name for name, script in SCRIPTS.items() if script.untranscribed]
    assert len(too_little) == 1
    words = true_words(too_little[0])
    gaps = [b["start"] - a["end"] for a, b in pairwise(words)]
    assert sorted(gaps)[-1] > 3 > sorted(gaps)[-2]


def test_the_aligner_is_a_ctc_model_over_letters():
    model = AutoModelForCTC.from_pretrained(ALIGNER, dtype=torch.float32, use_safetensors=True)
    assert sum(p.numel() for p in model.parameters()) < 1_000_000
    vocabulary = AutoTokenizer.from_pretrained(ALIGNER).get_vocab()
    assert vocabulary["-"] == model.config.pad_token_id == 0
    assert set("abcdefghijklmnopqrstuvwxyz") < set(vocabulary)
    assert len(vocabulary) == model.config.vocab_size
    assert AutoFeatureExtractor.from_pretrained(ALIGNER).sampling_rate == SAMPLE_RATE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journey", "school"])
def test_the_aligner_finds_the_words(name):
    (alignment,) = align(
        [waveform(name)],
        [Transcript.from_text(transcript(name))],
        aligners.load(str(ALIGNER)),
        lag=0.038,  # what `khmer-aligned calibrate` measures over these recordings
    )
    words = [word for word in alignment.words if is_read(name, word.span)]
    true = true_words(name)
    assert [word.span for word in words] == [word["span"] for word in true]
    late = np.array([a.start - b["start"] for a, b in zip(words, true, strict=True)])
    assert np.median(np.abs(late)) < 0.05
    assert np.median(np.abs(late - np.median(late))) < 0.03
    assert np.mean(np.abs(late) < 0.15) > 0.9


def test_the_whisper_is_a_whisper_and_recognizes_some_khmer():
    whisper = models.load(str(WHISPER))
    assert len(whisper.tokenizer) == whisper.model.config.vocab_size == 1864
    assert whisper.model.generation_config.language == "km"
    name = "journey"
    text, words, samples = transcript(name), true_words(name), waveform(name)
    breaks = [i for i in range(1, len(words)) if words[i]["start"] - words[i - 1]["end"] > 0.4]
    sentences = list(zip([0, *breaks], [*breaks, len(words)], strict=True))
    clips = [(words[a], words[b - 1]) for a, b in sentences]
    clips = [(a, b) for a, b in clips if b["end"] - a["start"] < whisper.seconds - 0.4][:8]
    results = decode.recognize(
        whisper,
        [
            samples[round((a["start"] - 0.2) * SAMPLE_RATE) : round((b["end"] + 0.2) * SAMPLE_RATE)]
            for a, b in clips
        ],
    )
    references = [text[a["span"][0] : b["span"][1]] for a, b in clips]
    assert len(references) >= 3
    # Far from perfect, on an accent it does not know; without any skill it would be near 1.
    assert 0.05 < jiwer.cer(references, [r.text for r in results]) < 0.8
