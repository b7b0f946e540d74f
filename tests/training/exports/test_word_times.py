"""Word times of an export for CTranslate2 are the original's, by the heads that were chosen."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from transformers import GenerationConfig

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper import model as models
from khmer_whisper.attention.heads import choose_heads, current_heads
from khmer_whisper.examples import data
from khmer_whisper.examples.rows import waveform
from khmer_whisper.exports import export
from khmer_whisper.transcription.attention_words import AttentionWords
from khmer_whisper.transcription.ctranslate2_engine import CTranslate2Engine
from khmer_whisper.transcription.torch_engine import TorchEngine

from .conftest import cut

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chosen(standard_folder, long_clip, tmp_path_factory) -> SimpleNamespace:
    """The clip, the model with heads chosen anew, and its export."""
    whisper = models.load(str(standard_folder))
    before = current_heads(whisper)
    choice = choose_heads(whisper, cut("farm", [(10.0, 25.0), (0.0, 4.5)]))
    heads = [list(head) for head in choice.heads]
    assert heads != [list(head) for head in before]
    settings = whisper.model.generation_config.to_dict() | {"alignment_heads": heads}
    whisper.model.generation_config = GenerationConfig(**settings)
    folder = tmp_path_factory.mktemp("heads")
    whisper.save(folder / "original")
    export(str(folder / "original"), folder / "exported", str(long_clip))
    (row,) = data.load(str(long_clip)).splits["test"]
    return SimpleNamespace(
        heads=heads,
        text=row["text"],
        waveform=waveform(row),
        whisper=models.load(str(folder / "original")),
        folder=folder / "exported",
    )


def test_the_heads_go_with_the_export(chosen):
    config = json.loads((chosen.folder / "config.json").read_text("utf-8"))
    assert config["alignment_heads"] == chosen.heads
    assert [list(head) for head in current_heads(chosen.whisper)] == chosen.heads


def test_both_engines_time_the_words_alike(chosen):
    engines = TorchEngine(chosen.whisper), CTranslate2Engine(Path(chosen.folder))
    (ours,), (theirs,) = (AttentionWords(e)([chosen.waveform], [chosen.text]) for e in engines)
    assert [word.text for word in theirs] == [word.text for word in ours]
    apart = np.abs([a.start - b.start for a, b in zip(ours, theirs, strict=True)])
    assert len(ours) > 20 and np.mean(apart <= 0.04) > 0.9
    scores = [[word.score for word in words] for words in (ours, theirs)]
    assert np.allclose(*scores, atol=0.02)


def test_faster_whisper_times_words_with_them(chosen, tmp_path):
    """What it finds depends on the heads that the export states."""
    faster_whisper = pytest.importorskip("faster_whisper")
    altered = tmp_path / "altered"
    shutil.copytree(chosen.folder, altered)
    config = json.loads((altered / "config.json").read_text("utf-8"))
    unused = [[0, k] for k in range(4) if [0, k] not in chosen.heads]
    (altered / "config.json").write_text(json.dumps(config | {"alignment_heads": unused[:1]}))

    def read_words(folder: Path) -> list:
        model = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="float32")
        segments, _ = model.transcribe(
            chosen.waveform,
            language="km",
            beam_size=1,
            temperature=0,
            without_timestamps=True,
            word_timestamps=True,
        )
        return [word for segment in segments for word in segment.words]

    ours, theirs = read_words(chosen.folder), read_words(altered)
    assert ours and [word.word for word in ours] == [word.word for word in theirs]
    starts = [word.start for word in ours]
    assert starts == sorted(starts) and ours[-1].end <= len(chosen.waveform) / SAMPLE_RATE + 0.1
    assert starts != [word.start for word in theirs]
