"""A dataset of sounds a tiny model can tell apart, and that model."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from safetensors.torch import load_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from khmer_aligned import audio
from khmer_aligned.audio import encode_flac
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.examples import data
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Part
from khmer_whisper.labels import Labeller
from khmer_whisper.training import Result, train

# Each word has a chord of its own: a sound with a spelling.
WORDS = {"ទឹក": (300, 900), "ឆ្កែ": (500, 1500), "ល្អ": (700, 2500), "ធំ": (1100, 3500)}
WORD_SECONDS = 0.4
WINDOW_SECONDS = 2


def sound(words: list[str], seed: int) -> np.ndarray:
    """The chords of `words`, 0.4 s each, with a little noise: (n,) float32."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(WORD_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    envelope = np.sin(np.pi * time / WORD_SECONDS)
    parts = [
        sum(np.sin(2 * np.pi * f * generator.uniform(0.97, 1.03) * time) for f in WORDS[w])
        * envelope
        for w in words
    ]
    wave = 0.2 * np.concatenate(parts)
    return (wave + 0.005 * generator.standard_normal(len(wave))).astype(np.float32)


VOICES = Path(__file__).parents[2] / "training/khmer_whisper/demo/assets/recordings"


def voice(seconds: float, name: str = "farm") -> np.ndarray:
    """The first seconds of one of the demo's voices: what Silero takes for speech."""
    path = VOICES / f"{name}.ogg"
    return audio.load(path, name=path.name, end=seconds)


def clip(number: int, words: list[str], recording: str, quiet: float = 0.0, **changes) -> dict:
    """A row with the columns of a clip; `quiet` seconds before and after its words."""
    margin = np.zeros(int(quiet * SAMPLE_RATE), np.float32)
    samples = np.concatenate([margin, sound(words, seed=number), margin])
    duration = len(samples) / SAMPLE_RATE
    starts = [quiet + i * WORD_SECONDS for i in range(len(words))]
    times = [
        {"text": word, "start": start, "end": start + WORD_SECONDS, "score": 0.9}
        for word, start in zip(words, starts, strict=True)
    ]
    return {
        "id": f"{recording}-{number:05}",
        "audio": {"bytes": encode_flac(samples), "path": None},
        "text": " ".join(words),
        "spoken": "".join(words),
        "words": times,
        "duration": duration,
        "score": 0.9,
        "recording": recording,
        "speaker": None,
        "start": number * 3.0,
        "end": number * 3.0 + duration,
    } | changes


BAR = re.compile(r"\[\d\d:\d\d")  # the time in a progress bar


def messages(stderr: str) -> list[str]:
    """The lines of a command that are no progress bars, which appear when a machine is slow."""
    return [line for line in re.split(r"[\r\n]+", stderr) if line and not BAR.search(line)]


def interrupt(*_) -> None:
    """Ends a training by the keyboard, in place of one of its steps."""
    raise KeyboardInterrupt


def close(first: Path, second: Path, atol: float = 0) -> None:
    """Asserts that two model folders hold the same weights."""
    weights = load_file(second / "model.safetensors")
    for name, tensor in load_file(first / "model.safetensors").items():
        torch.testing.assert_close(tensor, weights[name], atol=atol, rtol=0, msg=name)


def write_dataset(folder: Path, splits: dict[str, list[dict]]) -> Path:
    """The layout of a built folder."""
    (folder / "data").mkdir(parents=True)
    for split, rows in splits.items():
        columns = {name: [row[name] for row in rows] for name in CLIP_FEATURES}
        # Over a plain struct, as encoding Audio would need torchcodec.
        table = Dataset.from_dict(columns).cast_column("audio", CLIP_FEATURES["audio"])
        table = table.cast(CLIP_FEATURES)
        table.to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))
    (folder / "README.md").write_text("---\nlanguage: km\n---\nsounds\n", encoding="utf-8")
    return folder


def random_words(number: int) -> list[str]:
    generator = np.random.default_rng(1_000 + number)
    return [list(WORDS)[i] for i in generator.integers(len(WORDS), size=generator.integers(1, 3))]


def sounds(folder: Path, sizes: dict[str, int]) -> Path:
    """A dataset of clips of one or two words, two to a recording."""
    first = {"train": 0, "validation": 100, "test": 200}
    splits = {
        split: [
            clip(
                first[split] + i,
                random_words(first[split] + i),
                f"{split}{i // 2}",
                quiet=i % 5 * 0.05,
            )
            for i in range(size)
        ]
        for split, size in sizes.items()
    }
    return write_dataset(folder, splits)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Enough to learn from."""
    sizes = {"train": 64, "validation": 8, "test": 12}
    return sounds(tmp_path_factory.mktemp("sounds"), sizes)


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> Path:
    """Enough to compare two trainings."""
    return sounds(tmp_path_factory.mktemp("few"), {"train": 16, "validation": 2, "test": 2})


def tiny_config(
    vocabulary: int, seconds: int, *, positions: int, start: int, end: int
) -> WhisperConfig:
    """A Whisper of one layer on each side, for a window of so many seconds."""
    return WhisperConfig(
        vocab_size=vocabulary,
        num_mel_bins=40,
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_source_positions=seconds * 50,
        max_target_positions=positions,
        decoder_start_token_id=start,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
    )


def tiny_model() -> models.Whisper:
    """A Whisper of 0.2 M parameters with a window of 2 s, in memory, the same each time."""
    tokenizer = byte_tokenizer()
    end = tokenizer.eos_token_id
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        tiny_config(len(tokenizer), WINDOW_SECONDS, positions=64, start=end + 1, end=end)
    ).eval()
    labeller = Labeller(tokenizer)
    model.generation_config = models.generation_config(model, labeller)
    extractor = WhisperFeatureExtractor(feature_size=40, chunk_length=WINDOW_SECONDS)
    return models.Whisper(model, tokenizer, extractor, labeller, None)


@pytest.fixture
def tiny() -> models.Whisper:
    """The tiny Whisper, new for each test."""
    return tiny_model()


@pytest.fixture
def examples(tiny) -> list[Example]:
    """Three examples of one and two words."""
    return [
        Example(sound(words, seed=i), tiny.labeller.plain(" ".join(words)))
        for i, words in enumerate([["ទឹក"], ["ឆ្កែ", "ល្អ"], ["ធំ", "ធំ"]])
    ]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    """The tiny Whisper, saved."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model().save(folder)
    return folder


@pytest.fixture(scope="session")
def trained(dataset, tiny_folder, tmp_path_factory) -> Result:
    """128 steps: enough for the tiny model to tell the sounds apart."""
    out = tmp_path_factory.mktemp("models") / "whisper-sounds"
    config = Config(
        dataset=str(dataset),
        model=str(tiny_folder),
        epochs=32,
        learning_rate=3e-3,
        evaluate_every=64,
    )
    return train(config, out)


def part(folder: Path, whisper: models.Whisper, weight: float = 1.0, language: str = "km") -> Part:
    """The train split of a dataset in a folder."""
    fitting = select_fitting(data.load(str(folder)), "train", whisper, "text")
    return Part(str(folder), fitting, weight, language)


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """Clips of another builder's set, one recording of them from `few`'s test split."""
    rows = [clip(300 + i, random_words(300 + i), "other") for i in range(7)]
    rows.append(clip(200, random_words(200), "test0"))
    return write_dataset(tmp_path_factory.mktemp("other"), {"train": rows})


def plain_dataset(
    folder: Path, texts: list[str | None], rate: int = 16_000, seconds: float = 0.4
) -> Path:
    """A plain dataset of noise and `texts`."""
    audio = []
    for i in range(len(texts)):
        noise = np.random.default_rng(i).normal(0, 0.1, round(seconds * rate))
        buffer = io.BytesIO()
        soundfile.write(buffer, noise, rate, format="FLAC")
        audio.append({"bytes": buffer.getvalue(), "path": None})
    rows = Dataset.from_dict({"audio": audio, "sentence": texts})
    rows.cast_column("audio", Audio(decode=False)).to_parquet(str(folder / "train.parquet"))
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A speech dataset as most are: audio and a sentence."""
    return plain_dataset(tmp_path_factory.mktemp("plain"), [f"big {i}" for i in range(10)])
