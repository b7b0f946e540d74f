"""The chosen heads are those whose paths begin words where the dataset says."""

import json

import numpy as np
import pytest
import torch
from transformers import pipeline

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper import model as models
from khmer_whisper.attention import heads as choosing
from khmer_whisper.attention.heads import choose_heads, current_heads
from khmer_whisper.attention.weights import Attention, attend
from khmer_whisper.transcription.attention_words import AttentionWords, written_spans
from khmer_whisper.transcription.torch_engine import TorchEngine

from ..conftest import WORD_SECONDS, clip, random_words, sound

GOOD = (1, 2)


def following(whisper, waveform, labels, prompt) -> Attention:
    """Attention in which one head of eight knows when each word of a clip without pauses begins."""
    frames = round(len(waveform) / SAMPLE_RATE / 0.02)
    noise = torch.rand(
        2, 4, len(labels) + 1, frames, generator=torch.Generator().manual_seed(frames)
    )
    text = whisper.labeller.decode(labels).encode()
    words = np.cumsum([0, *(byte == ord(" ") for byte in text)])[: len(labels)]
    for row, word in enumerate(words):
        begin = round(word * WORD_SECONDS / 0.02)
        noise[GOOD][row, begin : begin + round(WORD_SECONDS / 0.02)] += 50
    noise[GOOD][-1, -1] += 50
    return Attention([*noise.softmax(-1)], torch.zeros(len(labels)), 0.02)


def test_the_head_that_follows_the_words_is_chosen(tiny, monkeypatch):
    monkeypatch.setattr(choosing, "attend", following)
    rows = [clip(i, random_words(i) * 2, "a") for i in range(6)]
    choice = choose_heads(tiny, rows)
    assert choice.heads == [GOOD]
    assert choice.clips == 3 and choice.after.words == sum(len(r["words"]) for r in rows[1::2])
    assert choice.after.median < 0.06 < choice.before.median


def test_without_word_times_nothing_is_chosen(tiny):
    rows = [clip(i, random_words(i), "a") | {"words": None} for i in range(4)]
    assert choose_heads(tiny, rows) is None


def test_the_weights_are_those_of_the_model(tiny):
    """The hooks see what eager attention hands out."""
    samples, labeller = sound(["ទឹក", "ធំ"], seed=1), tiny.labeller
    labels, prompt = labeller.encode("ទឹក ធំ"), labeller.prompt()
    found = attend(tiny, samples, labels, prompt)
    model = models.WhisperForConditionalGeneration._from_config(
        tiny.model.config, attn_implementation="eager"
    ).eval()
    model.load_state_dict(tiny.model.state_dict())
    features = tiny.extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
    output = model(
        input_features=features.input_features,
        decoder_input_ids=torch.tensor([[*prompt, *labels]]),
        output_attentions=True,
    )
    expected = output.cross_attentions[0][0, :, len(prompt) - 1 :, : found.layers[0].shape[2]]
    torch.testing.assert_close(found.layers[0], expected, atol=1e-5, rtol=1e-4)
    scores = output.logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    chosen = scores.gather(1, torch.tensor(labels)[:, None])[:, 0]
    torch.testing.assert_close(found.log_probs, chosen.detach(), atol=1e-4, rtol=1e-4)


def test_a_number_is_one_written_word():
    text = "មាន ២៥ ឆ្កែ"
    assert [text[slice(*span)] for span in written_spans(text)] == ["មាន", "២៥", "ឆ្កែ"]


@pytest.mark.slow
def test_training_writes_the_heads_and_their_figures(trained, tmp_path):
    word_times = json.loads((trained.folder / "metrics.json").read_text("utf-8"))["word_times"]
    stated = json.loads((trained.folder / "generation_config.json").read_text("utf-8"))
    assert stated["alignment_heads"] == word_times["heads"]
    assert word_times["after"]["median"] <= word_times["before"]["median"]
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    median = 1000 * word_times["after"]["median"]
    assert f"half of the words begin within {median:.0f} ms of them" in card
    recognize = pipeline("automatic-speech-recognition", str(trained.folder))
    recognize.model.set_attn_implementation("eager")
    samples = sound(["ទឹក", "ឆ្កែ"], seed=3)
    result = recognize({"raw": samples, "sampling_rate": SAMPLE_RATE}, return_timestamps="word")
    assert result["chunks"]


@pytest.mark.slow
def test_attention_times_the_words_of_a_trained_model(trained):
    engine = TorchEngine(models.load(str(trained.folder)))
    assert current_heads(engine.whisper)
    samples = sound(["ទឹក", "ឆ្កែ"], seed=3)
    (words,) = AttentionWords(engine)([samples], ["ទឹក ឆ្កែ"])
    assert [word.text for word in words] == ["ទឹក", "ឆ្កែ"]
    assert 0 <= words[0].start <= words[0].end <= words[1].start <= words[1].end
    assert words[1].end <= len(samples) / SAMPLE_RATE
    assert all(0 < word.score <= 1 for word in words)
