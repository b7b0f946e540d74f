"""Word times from the decoder's cross-attention, for a model without an aligner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from khmer_aligned.schema import SAMPLE_RATE, Word
from khmer_aligned.text import Span, Transcript
from khmer_whisper.attention.heads import current_heads
from khmer_whisper.attention.labels import label_bytes, span_times
from khmer_whisper.attention.paths import MEDIAN_WIDTH, smooth, warp
from khmer_whisper.attention.weights import attend
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.transcription.ctranslate2_engine import CTranslate2Engine
from khmer_whisper.transcription.torch_engine import TorchEngine

FRAME_SECONDS = 0.02  # of the encoder of every Whisper


class AttentionWords:
    """Times words by the cross-attention of the model that wrote them; see `TimeWords`.

    The heads are those of the generation config, which `khmer-whisper train` chooses. A word
    begins where the path reaches its first label, and ends where the next one begins.
    """

    def __init__(self, engine: TorchEngine | CTranslate2Engine) -> None:
        self.engine = engine

    def __call__(
        self, waveforms: Sequence[np.ndarray], texts: Sequence[str]
    ) -> list[list[Word] | None]:
        return [self._time(waveform, text) for waveform, text in zip(waveforms, texts, strict=True)]

    def _time(self, waveform: np.ndarray, text: str) -> list[Word] | None:
        """The words of one text, with the mean probability of their labels as scores."""
        labeller = self.engine.labeller
        labels = labeller.encode(text)
        spans = written_spans(text)
        if not spans or len(labels) > self.engine.positions - len(labeller.prompt()):
            return None
        if isinstance(self.engine, TorchEngine):
            starts, probabilities = self._attend(waveform, labels)
        else:
            starts, probabilities = _align_ctranslate2(self.engine, waveform, labels)
        sizes = label_bytes(labeller, labels)
        seconds = np.clip(span_times(text, spans, sizes, starts), 0, len(waveform) / SAMPLE_RATE)
        sums = np.concatenate([[0.0], np.cumsum(probabilities)])
        places = span_times(text, spans, sizes, np.arange(len(labels) + 1.0))  # in labels
        means = np.diff(np.interp(places, np.arange(len(sums)), sums), axis=1)[:, 0]
        scores = means / np.maximum(places[:, 1] - places[:, 0], 1e-9)
        return [
            Word(text[slice(*span)], float(start), float(end), float(min(1.0, score)))
            for span, (start, end), score in zip(spans, seconds, scores, strict=True)
        ]

    def _attend(self, waveform: np.ndarray, labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """When each label and the end token begins (L + 1,), and the labels' probabilities."""
        assert isinstance(self.engine, TorchEngine)
        whisper = self.engine.whisper
        attention = attend(whisper, waveform, labels, self.engine.labeller.prompt())
        chosen = torch.stack([attention.layers[i][k] for i, k in current_heads(whisper)])
        frames = warp(smooth(chosen).mean(0)[None].cpu().numpy())[0]
        return frames * attention.frame_seconds, attention.log_probs.exp().numpy()


def written_spans(text: str) -> list[Span]:
    """The spans of the words of a text as they are written: a number is one word."""
    spans: list[Span] = []
    for word in Transcript.from_text(text).words:
        first, last = word.span
        if spans and first < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], last))
        else:
            spans.append((first, last))
    return spans


def _align_ctranslate2(
    engine: CTranslate2Engine, waveform: np.ndarray, labels: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The same from an export, whose config.json states the heads."""
    extractor, prompt = engine.extractor, engine.labeller.prompt()
    features = log_mel(stack([waveform], extractor), extractor).numpy()
    frames = -(-len(waveform) // extractor.hop_length)
    view = engine.library.StorageView.from_array(features)
    (result,) = engine.model.align(  # it adds <|notimestamps|> itself
        view, prompt[:-1], [labels], [frames], median_filter_width=MEDIAN_WIDTH
    )
    path = np.array(result.alignments).reshape(-1, 2)
    rows = np.arange(len(labels) + 1)
    first = np.searchsorted(path[:, 0], rows)
    starts = path[np.minimum(first, len(path) - 1), 1] * FRAME_SECONDS
    return starts, np.array(result.text_token_probs)
