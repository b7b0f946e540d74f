"""A tiny Whisper with entries to spare, extended, and trained on sounds."""

from pathlib import Path

import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from khmer_aligned.hub.resolve import Source
from khmer_whisper import model as models
from khmer_whisper.labels import Labeller
from khmer_whisper.vocabulary import extend

from ..conftest import WINDOW_SECONDS, tiny_config
from .small import SENTENCES, small_tokenizer

TOKENS = 136


def small_whisper(seconds: int, positions: int) -> models.Whisper:
    """A Whisper of 0.3 M parameters with the small tokenizer."""
    tokenizer = small_tokenizer()
    labeller = Labeller(tokenizer)
    torch.manual_seed(0)
    config = tiny_config(
        len(tokenizer), seconds, positions=positions, start=labeller.start, end=labeller.end
    )
    model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = models.generation_config(model, labeller)
    extractor = WhisperFeatureExtractor(feature_size=40, chunk_length=seconds)
    source = Source(path="small", revision=None, repo_type="model")
    return models.Whisper(model, tokenizer, extractor, labeller, source)


@pytest.fixture(scope="session")
def stock_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "stock"
    small_whisper(WINDOW_SECONDS, positions=64).save(folder)
    return folder


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "khmer.txt"
    path.write_text("\n".join(SENTENCES), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def extended_folder(stock_folder: Path, text_file: Path) -> Path:
    return extend(
        str(stock_folder), stock_folder.with_name("extended"), [text_file], tokens=TOKENS
    ).folder
