"""A CTC model of transformers as an aligner."""

import numpy as np
import pytest
from transformers import Wav2Vec2FeatureExtractor, WhisperConfig, WhisperFeatureExtractor
from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING

from khmer_aligned import aligners
from khmer_aligned.aligners import features
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript


@pytest.mark.parametrize("samples", [560, 720, 5 * SAMPLE_RATE, 5 * SAMPLE_RATE + 161])
def test_features_of_blocks_are_those_of_the_whole(aligner, market, monkeypatch, samples):
    part = market[SAMPLE_RATE : SAMPLE_RATE + samples]
    whole = aligner.extractor(part, sampling_rate=SAMPLE_RATE, return_tensors="np")
    expected = whole["input_features"][0]
    monkeypatch.setattr(features, "_BLOCK_SECONDS", 1)
    np.testing.assert_allclose(aligner.front_end.prepare(part), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["log-mel", "Whisper's", "samples"])
def test_features_of_a_long_recording_are_computed_where_they_are_read(
    aligner, market, monkeypatch, kind
):
    extractor = {
        "log-mel": aligner.extractor,
        "Whisper's": WhisperFeatureExtractor(chunk_length=2),
        "samples": Wav2Vec2FeatureExtractor(do_normalize=True),
    }[kind]
    held = features.prepare(extractor, market)
    assert isinstance(held, np.ndarray)
    monkeypatch.setattr(features, "_LONG_SECONDS", 1)
    streamed = features.prepare(extractor, market)
    assert isinstance(streamed, features.Streamed) and streamed.shape == held.shape
    count = len(held)
    for first, last in ((0, count), (0, 7), (count // 3, count // 2), (count - 3, count)):
        np.testing.assert_allclose(streamed[first:last], held[first:last], atol=1e-5)


def test_tokens_are_the_letters_that_the_vocabulary_has(aligner):
    (word,) = Transcript.from_text("ខ្ញុំ").words
    tokens = aligner.tokens(word)
    assert "".join(tokens.texts) == "".join(c for c in word.romanized if c in "".join(tokens.texts))
    assert [aligner.vocabulary[k].lower() for k in tokens.ids] == list(tokens.texts)
    assert len(tokens.spans) == len(tokens.ids) > 2
    assert all(0 <= start < end <= 5 for start, end in tokens.spans)
    (smiley,) = Transcript.from_text("☺").words
    assert aligner.tokens(smiley).ids == ()


def test_a_folder_that_is_no_ctc_model_is_one_line(tokenizer_folder, tmp_path):
    with pytest.raises(UserError, match="cannot be loaded as a CTC model") as caught:
        aligners.load(str(tokenizer_folder))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such folder"):
        aligners.identity(str(tmp_path / "nowhere"))


def test_the_head_for_whispers_takes_no_whisper_from_other_tools():
    """Registered with transformers, it would be what `pipeline` loads for every Whisper."""
    assert WhisperConfig not in MODEL_FOR_CTC_MAPPING
