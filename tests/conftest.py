"""What every test may use."""

import csv
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from .browser import browser as browser
from .browser import page as page
from .hub.fixtures import hub as hub

# A process of tests on each core: torch's threads would only wait for one another. Read when torch
# is loaded, here and in what the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Weights and losses are compared closer than bfloat16 computes.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# The Hub's clients read their settings when they are imported. The tests use none of the user's,
# nor the user's caches; workers of pytest-xdist share the folder of the process that starts them.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if not IS_WORKER:
    for name in [*os.environ]:
        if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_")):
            del os.environ[name]
    os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="tests-of-khmer-aligned-")
    os.environ["KHMER_ALIGNED_HOME"] = os.environ["HF_HOME"]  # for fixtures; see `no_kept_lag`


def pytest_unconfigure() -> None:
    if not IS_WORKER:
        shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


# Real recordings and models, where there are some beside the checkout; tests that need them skip.
SHARED = Path(__file__).parents[2] / "shared"
ASSETS = Path(__file__).parents[1] / "training" / "khmer_whisper" / "demo" / "assets"


@pytest.fixture(autouse=True)
def no_kept_lag(monkeypatch, tmp_path_factory) -> None:
    """No test finds the lags that another one kept."""
    monkeypatch.setenv("KHMER_ALIGNED_HOME", str(tmp_path_factory.mktemp("lags")))


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The demo's recordings, each with its .txt and .words.tsv."""
    return ASSETS / "recordings"


@pytest.fixture(scope="session")
def aligner_folder() -> Path:
    """The demo's CTC aligner."""
    return ASSETS / "aligner"


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's Whisper tokenizer, over bytes."""
    from khmer_whisper.demo.tokenizer import byte_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def true_words(recordings: Path):
    """`true_words(name)`: the words of a recording as (first character, last, start, end)."""

    def read(name: str) -> list[tuple[int, int, float, float]]:
        with (recordings / f"{name}.words.tsv").open(encoding="utf-8") as file:
            return [
                (int(row["from"]), int(row["to"]), float(row["start"]), float(row["end"]))
                for row in csv.DictReader(file, delimiter="\t")
            ]

    return read


@pytest.fixture(scope="session")
def small_source(recordings: Path, true_words, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the demo's recordings; a test that changes it copies it.

    `market`, whose transcript lacks a sentence that is spoken, and the first sentence of `journey`.
    """
    folder = tmp_path_factory.mktemp("small") / "source"
    folder.mkdir()
    for name in ("market", "journey"):
        shutil.copy(recordings / f"{name}.ogg", folder)
    market, journey = (
        (recordings / f"{name}.txt").read_text(encoding="utf-8") for name in ("market", "journey")
    )
    sentence = journey.split("។")[0] + "។"
    end = max(word[3] for word in true_words("journey") if word[1] <= len(sentence))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file_name", "text", "speaker", "split", "start", "end"])
        writer.writerow(["market.ogg", market, "sokha", "train", "", ""])
        writer.writerow(["journey.ogg", sentence, "vichet", "test", 0, end + 0.3])
    return folder


@pytest.fixture(scope="session")
def build_small(aligner_folder: Path, tokenizer_folder: Path):
    """`build_small(source, out)`: a build with the demo's aligner and its lag."""
    from khmer_aligned.dataset.build import build

    def run(source: Path, out: Path, **options):
        models = {"aligner": str(aligner_folder), "tokenizer": str(tokenizer_folder)}
        settings = {"max_labels": 72, "lag": 0.038, "licence": "cc0-1.0"}
        return build(source, out, **(models | settings | options))

    return run


@pytest.fixture(scope="session")
def small_build(small_source: Path, build_small) -> Path:
    """The build of `small_source`; a test that changes it copies it."""
    out = small_source.parent / "khmer-aligned"
    build_small(small_source, out)
    return out
