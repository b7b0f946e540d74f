"""Speed of what bench_gpu.py measures before training: emissions, the path, a whole build."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from bench_viterbi import emissions as synthetic_emissions
from gpu_common import (
    Figure,
    Setup,
    best_seconds,
    forget_memory,
    load_aligner,
    noise,
    peak_flops,
    peak_memory,
)
from torch.utils.flop_counter import FlopCounterMode
from torchaudio.models import wav2vec2_model
from torchaudio.pipelines import MMS_FA
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from khmer_aligned import audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.aligners.ctc import CtcAligner
from khmer_aligned.aligners.mms import MmsAligner
from khmer_aligned.aligners.windows import CONTEXT_SECONDS, WINDOW_SECONDS
from khmer_aligned.alignment import viterbi
from khmer_aligned.dataset.build import build as build_dataset
from khmer_aligned.schema import SAMPLE_RATE

OMNI_VOCABULARY = 10_288  # of omniASR-CTC-300M-v2
WHOLE_WINDOW = WINDOW_SECONDS + 2 * CONTEXT_SECONDS
SHARPNESS = 8.0  # random output layers are nearly flat; trained ones are not


def mms_model(setup: Setup) -> torch.nn.Module:
    """MMS_FA's architecture with random weights."""
    shape = dict(MMS_FA._params)
    if setup.toy:
        shape |= {
            "extractor_conv_layer_config": [
                (16, kernel, stride) for _, kernel, stride in shape["extractor_conv_layer_config"]
            ],
            "encoder_embed_dim": 64,
            "encoder_num_layers": 2,
            "encoder_num_heads": 4,
            "encoder_ff_interm_features": 128,
        }
    torch.manual_seed(0)
    with torch.device(setup.device):
        model = wav2vec2_model(**shape)
    with torch.no_grad():
        model.aux.weight *= SHARPNESS
    return model.eval()


def omni_folder(setup: Setup) -> Path:
    """A folder with a model of omniASR-CTC-300M-v2's shape, as transformers loads it."""
    folder = setup.folder / "omni"
    if (folder / "config.json").is_file():
        return folder
    size = 300 if setup.toy else OMNI_VOCABULARY
    config = Wav2Vec2Config(
        vocab_size=size,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
        pad_token_id=0,
        conv_dim=(16 if setup.toy else 512,) * 7,
        hidden_size=64 if setup.toy else 1024,
        num_hidden_layers=2 if setup.toy else 24,
        num_attention_heads=4 if setup.toy else 16,
        intermediate_size=128 if setup.toy else 4096,
    )
    torch.manual_seed(0)
    with torch.device(setup.device):
        model = Wav2Vec2ForCTC(config)
    model.save_pretrained(folder)
    khmer = [chr(c) for c in range(0x1780, 0x17EA)]
    tokens = ["<pad>", "<unk>", *khmer, *(f"other{i}" for i in range(size))][:size]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    Wav2Vec2CTCTokenizer(
        str(vocabulary), bos_token=None, eos_token=None, word_delimiter_token="other0"
    ).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder


def mms(setup: Setup) -> Iterator[Figure]:
    """MMS_FA's shape, through the aligner that the builder uses."""
    model = mms_model(setup)
    yield from _model_alone(setup, model)
    flops = _flops_per_second(setup, model)
    yield from _emissions_speed(setup, MmsAligner(setup.device, model=model), flops)


def omni(setup: Setup) -> Iterator[Figure]:
    """omniASR-CTC-300M-v2's shape: the log-softmax is over 10,288 labels."""
    folder = omni_folder(setup)
    aligner = load_aligner(folder, setup.device)
    model = Wav2Vec2ForCTC.from_pretrained(folder).eval().to(setup.device)
    flops = _flops_per_second(setup, model)
    del model
    yield from _emissions_speed(setup, aligner, flops)


def _flops_per_second(setup: Setup, model: torch.nn.Module) -> float:
    """FLOP for a second of audio in a whole window, as torch counts matrix products."""
    samples = round(WHOLE_WINDOW * SAMPLE_RATE)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, samples, device=setup.device))
    return counter.get_total_flops() / WHOLE_WINDOW


def _model_alone(setup: Setup, model: torch.nn.Module) -> Iterator[Figure]:
    """The forward pass of one large batch, without anything around it."""
    windows = 1 if setup.toy else 31
    batch = torch.randn(windows, round(WHOLE_WINDOW * SAMPLE_RATE), device=setup.device)
    flops = _flops_per_second(setup, model)
    narrow = torch.autocast(setup.device.type, torch.bfloat16)
    with torch.inference_mode(), narrow:
        model(batch)
        seconds = best_seconds(setup.device, lambda: model(batch))
    yield Figure("FLOP of a second of audio", flops / 1e9, "GFLOP")
    speed = windows * WHOLE_WINDOW / seconds
    yield Figure(f"forward pass alone, {windows} windows", speed, "x real time")
    yield Figure("  share of peak", 100 * speed * flops / peak_flops(setup.device), "%")


def _emissions_speed(setup: Setup, aligner: Aligner, flops: float) -> Iterator[Figure]:
    """`flops`: of a second of audio. The context of the windows counts as work, not as audio."""
    rng = np.random.default_rng(0)
    hour, few = (45, 2) if setup.toy else (3600, 300)
    whole = noise(hour, seed=1)
    lengths = rng.uniform(3, 21, few)
    short = [noise(seconds, seed=2 + i) for i, seconds in enumerate(lengths)]
    aligner.emissions([whole[: len(whole) // 2]])  # the first batches choose kernels
    named = {f"one recording of {hour} s": [whole], f"{few} of 3 to 21 s": short}
    for name, waveforms in named.items():
        forget_memory(setup.device)
        seconds = best_seconds(setup.device, lambda given=waveforms: aligner.emissions(given))
        length = sum(map(len, waveforms)) / SAMPLE_RATE
        work = _seconds_read(waveforms) * flops
        yield Figure(name, length / seconds, "x real time")
        yield Figure("  share of peak", 100 * work / seconds / peak_flops(setup.device), "%")
        yield Figure("  peak GPU memory", peak_memory(setup.device), "GB")


def _seconds_read(waveforms: Sequence[np.ndarray]) -> float:
    """Seconds that go through the model, the windows' context among them."""
    seconds = [len(waveform) / SAMPLE_RATE for waveform in waveforms]
    return sum(s if s <= WHOLE_WINDOW else -(-s // WINDOW_SECONDS) * WHOLE_WINDOW for s in seconds)


def path(setup: Setup) -> Iterator[Figure]:
    """The best path of an hour (T/4 labels), on one core and on all of them."""
    seconds = 120 if setup.toy else 3600
    viterbi.align(*synthetic_emissions(2), threads=1)
    log_probs, labels = synthetic_emissions(seconds)
    cores = len(os.sched_getaffinity(0))
    for threads in sorted({1, cores}):
        began = time.perf_counter()
        viterbi.align(log_probs, labels, threads=threads)
        took = time.perf_counter() - began
        yield Figure(f"{seconds} s of emissions on {threads} of {cores} cores", took, "s")


def build(setup: Setup) -> Iterator[Figure]:
    """A whole build, compiled code and CUDA warmed by one recording before."""
    source = _copied_source(setup, setup.copies)
    names = {"aligner": str(setup.aligner), "tokenizer": str(setup.tokenizer)}
    build_dataset(_copied_source(setup, 1, first=1), setup.folder / "warmed", **names)
    model = [0.0]
    emissions = CtcAligner.emissions

    def timed(self, waveforms):
        began = time.perf_counter()
        try:
            return emissions(self, waveforms)
        finally:
            model[0] += time.perf_counter() - began

    CtcAligner.emissions = timed
    try:
        began = time.perf_counter()
        result = build_dataset(source, setup.folder / "built", **names)
        took = time.perf_counter() - began
    finally:
        CtcAligner.emissions = emissions
    length = sum(
        len(audio.load(file, name=file.name)) / SAMPLE_RATE for file in _recordings(setup.source)
    )
    yield Figure("recordings", length * setup.copies / 60, "min of audio")
    yield Figure("clips", result.clips, "clips")
    yield Figure("whole build", took, "s")
    yield Figure("whole build", length * setup.copies / took, "x real time")
    # Two groups take turns at the model, and one that waits for it counts as well.
    yield Figure("emissions and waiting for them, of two groups", 100 * model[0] / took, "% of it")


def _recordings(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in audio.SUFFIXES and file.with_suffix(".txt").is_file()
    ]


def _copied_source(setup: Setup, copies: int, first: int | None = None) -> Path:
    """The source's first recordings, each some times by names of their own."""
    folder = setup.folder / f"source-{copies}-{first or 'all'}"
    folder.mkdir()
    for file in _recordings(setup.source)[:first]:
        for copy in range(copies):
            for part in (file, file.with_suffix(".txt")):
                (folder / f"{part.stem}-{copy}{part.suffix}").write_bytes(part.read_bytes())
    return folder
