"""Whisper's own vocabulary against one with Khmer entries, from one starting point.

    python tests/benchmarks/bench_vocabulary.py DATASET TOKENIZER --out vocabulary.json

A small Whisper with the real TOKENIZER learns DATASET, a built folder, until it writes Khmer. From
these weights two models go on, on the same clips and for the same number of seconds: one as it is,
one with Khmer entries. Printed are error rates, decoding time and decoder steps of both at
several lengths of training, and of several beginnings of the new rows; then the time that a
Whisper of the size of `small` takes to write down a window of 30 s either way.

The starting point is made with two losses that only this file knows, or it would take hours: CTC
on the encoder (Watanabe et al. 2017), and attention that is guided to where a word is spoken
(after Tachibana et al. 2018). Both models go on without them.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]
sys.path[:0] = SOURCES

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import cross_entropy, ctc_loss  # noqa: E402
from torch.nn.utils.rnn import pad_sequence  # noqa: E402
from transformers import (  # noqa: E402
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from khmer_aligned.hub.resolve import Source  # noqa: E402
from khmer_whisper import metrics  # noqa: E402
from khmer_whisper import model as models  # noqa: E402
from khmer_whisper.decode import read_output  # noqa: E402
from khmer_whisper.examples import data  # noqa: E402
from khmer_whisper.examples.collate import log_mel, stack  # noqa: E402
from khmer_whisper.labels import IGNORED, Labeller  # noqa: E402
from khmer_whisper.vocabulary.extend import (  # noqa: E402
    new_tokenizer,
    tokens_per_character,
    with_entries,
)
from khmer_whisper.vocabulary.graft import Grafted  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PREFIX = 3  # labels before the text: language, task, no timestamps
MARGIN = 0.12  # seconds around a label where guided attention may go
FRAME_SECONDS = 0.02  # of the encoder


@dataclass(frozen=True)
class Setting:
    """What every training of a run has in common."""

    window: int  # seconds
    batch_size: int
    rate: float  # highest learning rate of the starting point
    continued_rate: float  # of both models that go on
    row_rate: float  # of new rows in the time in which only they learn
    seed: int = 0


@dataclass(frozen=True)
class Clips:
    """Log-mels (n, mels, frames) on the device, and the rows that they are of."""

    features: torch.Tensor
    rows: list[dict]
    seconds: float


@dataclass(frozen=True)
class Variant:
    """How a model goes on: with which vocabulary, beginning and share of time for rows alone."""

    name: str
    tokens: int = 0
    beginning: str = "mean"
    warm: float = 0.0


def read(dataset: str, splits: list[str], setting: Setting, limit: int | None) -> Clips:
    """The clips of `splits` that fit the window; at most `limit` of them."""
    loaded = data.load(dataset)
    rows = [row for split in splits for row in loaded.get(split) or []]
    rows = [row for row in rows if row["duration"] <= setting.window][:limit]

    def samples(row: dict) -> np.ndarray:
        found, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        assert rate == 16_000 and found.ndim == 1, row["id"]
        return found[: setting.window * rate]

    with ThreadPoolExecutor() as pool:
        waveforms = list(pool.map(samples, rows))
    extractor = feature_extractor(setting.window)
    parts = [
        log_mel(stack(waveforms[i : i + 64], extractor).to(DEVICE), extractor).half()
        for i in range(0, len(rows), 64)
    ]
    for row in rows:
        del row["audio"]
    return Clips(torch.cat(parts), rows, sum(row["duration"] for row in rows))


def feature_extractor(window: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=80, chunk_length=window)


def random_whisper(tokenizer_folder: str, window: int, **shapes: int | float) -> models.Whisper:
    """A Whisper of random weights with the tokenizer of a real one."""
    tokenizer = WhisperTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.set_prefix_tokens(language="km", task="transcribe", predict_timestamps=False)
    labeller = Labeller(tokenizer)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        max_source_positions=window * 50,
        max_target_positions=448,
        decoder_start_token_id=labeller.start,
        pad_token_id=labeller.end,
        bos_token_id=labeller.end,
        eos_token_id=labeller.end,
        **shapes,
    )
    # Only eager attention hands out its weights, which the starting point is guided by.
    model = WhisperForConditionalGeneration._from_config(config, attn_implementation="eager")
    model.generation_config = models.generation_config(model, labeller)
    source = Source(path=tokenizer_folder, revision=None, repo_type="model")
    return models.Whisper(model.to(DEVICE), tokenizer, feature_extractor(window), labeller, source)


@dataclass(frozen=True)
class Rows:
    """Lists of different lengths, one for each clip, as tensors that are stacked when needed."""

    tensors: list[torch.Tensor]
    padding: int

    @classmethod
    def of(cls, lists: Iterable[list], padding: int) -> Rows:
        return cls([torch.tensor(values) for values in lists], padding)

    def __getitem__(self, batch: list[int]) -> torch.Tensor:
        chosen = [self.tensors[i] for i in batch]
        return pad_sequence(chosen, batch_first=True, padding_value=self.padding).to(DEVICE)


def label_rows(whisper: models.Whisper, clips: Clips) -> tuple[Rows, Rows]:
    """What the decoder reads and what it learns, for each clip."""
    labels = [whisper.labeller.plain(row["text"]) for row in clips.rows]
    end = whisper.labeller.end
    return Rows.of((x.inputs for x in labels), end), Rows.of((x.labels for x in labels), IGNORED)


def orders(clips: Clips, setting: Setting) -> Iterator[list[int]]:
    """Batches of clips' numbers, without end, the same for everybody."""
    draw = np.random.default_rng(setting.seed)
    while True:
        order = draw.permutation(len(clips.rows)).tolist()
        for i in range(0, len(order) - setting.batch_size + 1, setting.batch_size):
            yield order[i : i + setting.batch_size]


def masked(features: torch.Tensor) -> torch.Tensor:
    """SpecAugment (Park et al. 2019): two bands of bins and two stretches of frames are mean."""
    batch, mels, frames = features.shape
    features = features.float()
    keep = torch.ones_like(features, dtype=torch.bool)
    for size, width, axis in ((mels, 15, 1), (mels, 15, 1), (frames, 30, 2), (frames, 30, 2)):
        wide = torch.rand(batch, 1, device=DEVICE) * width
        first = torch.rand(batch, 1, device=DEVICE) * (size - wide)
        place = torch.arange(size, device=DEVICE)
        hidden = (place >= first) & (place < first + wide)
        keep &= ~(hidden[:, :, None] if axis == 1 else hidden[:, None, :])
    return features.where(keep, features.mean(dim=(1, 2), keepdim=True))


def train(
    parameters: list[torch.nn.Parameter],
    loss_of: Callable[[list[int]], torch.Tensor],
    batches: Iterator[list[int]],
    rate: float,
    seconds: float,
    name: str,
) -> int:
    """Train for `seconds`, the rate rising for 5 % of them and falling to 0; returns steps."""
    optimizer = torch.optim.AdamW(
        parameters, rate, betas=(0.9, 0.98), weight_decay=0.0, fused=DEVICE == "cuda"
    )
    started, steps, shown = spent(), 0, 0.0
    while (done := (spent() - started) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, done / 0.05) * (1 - done)
        loss = loss_of(next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        if steps % 10 == 0:
            value = loss.item()  # waits for the device, which may lag behind
            if done - shown >= 0.2:
                shown = done
                print(f"  {name}: {done:.0%}, step {steps}, loss {value:.3f}", flush=True)
    return steps


def guide(row: dict, offsets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Encoder frames [from, to) of each label of a clip; 0, 0 for one without a place."""
    text, times = row["text"], {}
    at = 0
    for word in row["words"]:
        at = text.find(word["text"], at)
        if at < 0:  # a number, read as words
            break
        steps = np.linspace(word["start"], word["end"], len(word["text"]) + 1)
        for k in range(len(word["text"])):
            times[at + k] = steps[k], steps[k + 1]
        at += len(word["text"])
    places = [(0, 0)] * PREFIX
    for first, last in offsets:
        spans = [times[k] for k in range(first, max(last, first + 1)) if k in times]
        if spans:
            start, end = spans[0][0] - MARGIN, spans[-1][1] + MARGIN
            places.append((int(max(0, start) / FRAME_SECONDS), int(end / FRAME_SECONDS) + 1))
        else:
            places.append((0, 0))
    return [*places, (0, 0)]


def make_starting_point(
    whisper: models.Whisper, clips: Clips, setting: Setting, seconds: float
) -> int:
    """Teach `whisper` to write Khmer, from nothing; returns steps."""
    model = whisper.model.train()
    inputs, labels = label_rows(whisper, clips)
    backend = whisper.tokenizer.backend_tokenizer
    places = Rows.of(
        (
            guide(row, backend.encode(row["text"], add_special_tokens=False).offsets)
            for row in clips.rows
        ),
        0,
    )
    alphabet = sorted({c for row in clips.rows for c in row["text"] if c != " "})
    letters = Rows.of(
        ([1 + alphabet.index(c) for c in row["text"] if c != " "] for row in clips.rows), 0
    )
    ctc = torch.nn.Linear(model.config.d_model, 1 + len(alphabet)).to(DEVICE)
    frame = torch.arange(model.config.max_source_positions, device=DEVICE)

    def loss_of(batch: list[int]) -> torch.Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=DEVICE == "cuda"):
            output = model(
                input_features=masked(clips.features[batch]),
                decoder_input_ids=inputs[batch],
                output_attentions=True,
            )
            heard = ctc(output.encoder_last_hidden_state)
        spelled = letters[batch]
        counts = (spelled > 0).sum(1)
        frames = torch.full_like(counts, heard.shape[1])
        log_probs = heard.float().log_softmax(-1).transpose(0, 1)
        start, end = places[batch].unbind(-1)
        inside = (frame >= start[..., None]) & (frame < end[..., None])
        placed = inside.any(-1)
        heads = max(1, model.config.decoder_attention_heads // 2)
        mass = torch.stack(
            [
                (layer[:, :heads].float() * inside[:, None]).sum(-1).mean(1)[placed]
                for layer in output.cross_attentions
            ]
        )
        told = labels[batch]
        return (
            cross_entropy(output.logits.flatten(0, 1).float(), told.flatten())
            + 0.5 * ctc_loss(log_probs, spelled, frames, counts, zero_infinity=True)
            - (mass + 1e-4).log().mean()
        )

    parameters = [p for p in (*model.parameters(), *ctc.parameters()) if p.requires_grad]
    batches = orders(clips, setting)
    return train(parameters, loss_of, batches, setting.rate, seconds, "starting point")


def go_on(
    whisper: models.Whisper, clips: Clips, setting: Setting, seconds: float, variant: Variant,
    rows: list[int],
) -> int:  # fmt: skip
    """Train a model further, by the labels' loss alone; its new `rows` first. Returns steps."""
    model = whisper.model.train()
    inputs, labels = label_rows(whisper, clips)

    def loss_of(batch: list[int]) -> torch.Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=DEVICE == "cuda"):
            logits = model(
                input_features=masked(clips.features[batch]),
                decoder_input_ids=inputs[batch],
            ).logits
        told = labels[batch]
        return cross_entropy(logits.flatten(0, 1).float(), told.flatten())

    batches = orders(clips, setting)
    steps = 0
    learned = [p for p in model.parameters() if p.requires_grad]
    if variant.warm:
        table = model.get_input_embeddings().weight
        of_rows = torch.zeros(len(table), 1, device=DEVICE)
        of_rows[rows] = 1.0
        for parameter in learned:
            parameter.requires_grad_(parameter is table)
        hook = table.register_hook(lambda gradient: gradient * of_rows)
        share = variant.warm * seconds
        steps += train([table], loss_of, batches, setting.row_rate, share, f"{variant.name}, rows")
        hook.remove()
        for parameter in learned:
            parameter.requires_grad_(True)
    rest = (1 - variant.warm) * seconds
    return steps + train(learned, loss_of, batches, setting.continued_rate, rest, variant.name)


def measure(whisper: models.Whisper, clips: Clips, batch_size: int = 64) -> dict:
    """Error rates, decoding time and decoder steps on held-out clips, decoded greedily."""
    model = whisper.model.eval()
    predictions, labels, ran = [], 0, 0
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=DEVICE == "cuda"):
        settled(model, clips.features[:2].float())
        started = now()
        for i in range(0, len(clips.rows), batch_size):
            features = clips.features[i : i + batch_size].float()
            ids = model.generate(
                features, num_beams=1, do_sample=False, force_unique_generate_call=True
            )
            ran += ids.shape[1] - PREFIX - 1
            for row in ids.tolist():
                found = read_output(whisper.labeller, row)
                predictions.append(found.text)
                end = whisper.labeller.end
                labels += (row.index(end) + 1 if end in row else len(row)) - PREFIX - 1
        seconds = now() - started
    references = [row["text"] for row in clips.rows]
    scores = metrics.score(references, predictions, [row["recording"] for row in clips.rows])
    return {
        "cer": scores.cer.rate,
        "cer_interval": [scores.cer.low, scores.cer.high],
        "wer": scores.wer.rate,
        "wer_interval": [scores.wer.low, scores.wer.high],
        "decoding_seconds": seconds,
        "steps_per_second_of_speech": labels / clips.seconds,
        "steps_run": ran,
        "tokens_per_character": tokens_per_character(
            whisper.tokenizer.backend_tokenizer, references
        ),
        "sample": [references[0], predictions[0]],
    }


def settled(model: WhisperForConditionalGeneration, features: torch.Tensor) -> None:
    model.generate(features, max_new_tokens=2)


def now() -> float:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return spent()


def spent() -> float:
    """Seconds of a GPU's time; without one, of this process alone."""
    return time.perf_counter() if DEVICE == "cuda" else time.process_time()


def compare_small(folder: str, grafted: dict[int, Grafted], rows: list[dict]) -> dict:
    """A window of 30 s written by random weights of the size of `small`, in so many steps.

    The text is as much as the stock vocabulary can write at all: it ends the window's decoder.
    """
    whisper = random_whisper(
        folder, 30, d_model=768, encoder_layers=12, decoder_layers=12,
        encoder_attention_heads=12, decoder_attention_heads=12,
        encoder_ffn_dim=3072, decoder_ffn_dim=3072,
    )  # fmt: skip
    whisper.model.set_attn_implementation("sdpa")
    whisper.model.eval()
    stock = whisper.tokenizer.backend_tokenizer
    text, seconds = "", 0.0
    for row in rows:
        longer = f"{text} {row['text']}".strip()
        if len(stock.encode(longer, add_special_tokens=False).ids) > 440:
            break
        text, seconds = longer, seconds + row["duration"]
    counts = {"stock": len(stock.encode(text, add_special_tokens=False).ids)}
    for tokens, extended in grafted.items():
        counts[f"{tokens} tokens"] = len(
            extended.tokenizer.encode(text, add_special_tokens=False).ids
        )
    features = torch.randn(1, 80, 3000, device=DEVICE)
    times: dict[str, float] = {}
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=DEVICE == "cuda"):
        settled(whisper.model, features)
        for name, count in counts.items():
            started = now()
            whisper.model.generate(features, min_new_tokens=count, max_new_tokens=count)
            times[name] = now() - started
    return {
        "characters": len(text),
        "seconds_of_speech": seconds,
        "labels": counts,
        "time": times,
        "ratio": {name: times["stock"] / t for name, t in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("tokenizer", help="folder of a Whisper's tokenizer")
    parser.add_argument("--out", type=Path, help="write all figures into this JSON file")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4, help="of the encoder; half in the decoder")
    parser.add_argument("--window", type=int, default=8, help="seconds")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=1_000)
    parser.add_argument("--start", help="a Whisper that writes Khmer, to begin with")
    parser.add_argument("--start-seconds", type=float, default=80)
    parser.add_argument("--lengths", default="4,10,24", help="seconds of training, three of them")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--continued-rate", type=float, default=3e-4)
    parser.add_argument("--row-rate", type=float, default=3e-3)
    parser.add_argument("--clips", type=int, help="learn from so many only")
    parser.add_argument("--no-small", action="store_true", help="leave out the size of `small`")
    args = parser.parse_args()
    setting = Setting(args.window, args.batch_size, args.rate, args.continued_rate, args.row_rate)
    short, middle, long = (float(length) for length in args.lengths.split(","))
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    began = time.monotonic()
    clips = read(args.dataset, ["train"], setting, args.clips)
    held_out = read(args.dataset, ["test", "validation"], setting, args.clips)
    print(
        f"{len(clips.rows)} clips, {clips.seconds / 3600:.2f} h; held out {len(held_out.rows)}, "
        f"{held_out.seconds / 60:.1f} min; on {DEVICE}; read in {time.monotonic() - began:.0f} s",
        flush=True,
    )
    if args.start:
        start = models.load(args.start)
        start.model.to(DEVICE)
    else:
        start = random_whisper(
            args.tokenizer, args.window, d_model=args.width,
            encoder_layers=args.layers, decoder_layers=max(1, args.layers // 2),
            encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=4 * args.width, decoder_ffn_dim=4 * args.width, dropout=0.1,
        )  # fmt: skip
    columns = data.load(args.dataset).columns("train", ["text"])
    texts = [text for part in columns for text in part["text"]]
    middle_tokens, counts = args.tokens, sorted({args.tokens // 2, args.tokens, 2 * args.tokens})
    grafted = {tokens: new_tokenizer(start, texts, tokens) for tokens in counts}
    report: dict = {"device": DEVICE, "arguments": {k: str(v) for k, v in vars(args).items()}}
    if DEVICE == "cuda":
        report["device"] = torch.cuda.get_device_name()

    def record(name: str, figures: dict) -> None:
        report[name] = figures
        print(
            f"{time.monotonic() - began:4.0f} s  {name}: {json.dumps(figures, ensure_ascii=False)}",
            flush=True,
        )
        if args.out:
            args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")

    if not args.no_small:
        record("small", compare_small(args.tokenizer, grafted, held_out.rows))
    steps = 0
    if not args.start:
        steps = make_starting_point(start, clips, setting, args.start_seconds)
        start.model.set_attn_implementation("sdpa")
    record("starting point", {"steps": steps, **measure(start, held_out)})
    stock = Variant("stock")
    best = Variant(f"{middle_tokens} mean", middle_tokens, warm=0.2)
    runs = [(stock, length) for length in (short, middle, long)]
    runs += [(best, length) for length in (short, middle, long)]
    runs += [
        (Variant(f"{middle_tokens} last", middle_tokens, "last", 0.2), middle),
        (Variant(f"{middle_tokens} random", middle_tokens, "random", 0.2), middle),
        (Variant(f"{middle_tokens} mean, all at once", middle_tokens), middle),
        (Variant(f"{counts[0]} mean", counts[0], warm=0.2), middle),
        (Variant(f"{counts[2]} mean", counts[2], warm=0.2), middle),
    ]
    table = []
    for variant, length in runs:
        torch.manual_seed(1)
        whisper = copy.deepcopy(start)
        rows: list[int] = []
        if variant.tokens:
            whisper = with_entries(whisper, grafted[variant.tokens], variant.beginning)
            rows = list(grafted[variant.tokens].ids.values())
        untrained = now()
        steps = go_on(whisper, clips, setting, length, variant, rows)
        trained = now() - untrained
        figures = measure(whisper, held_out)
        record(
            f"{variant.name}, {length:g} s", {"steps": steps, "trained_seconds": trained, **figures}
        )
        table.append((variant.name, length, steps, figures))
        if not math.isfinite(figures["cer"]):
            raise SystemExit(f"{variant.name} has diverged")
    print(
        f"\n{'':28}{'training':>9}{'steps':>7}{'CER':>8}{'WER':>8}{'decoding':>10}{'steps/s':>9}{'tokens/char':>13}"
    )
    for name, length, steps, found in table:
        print(
            f"{name:28}{length:>7.0f} s{steps:>7}{found['cer']:>8.1%}{found['wer']:>8.1%}"
            f"{found['decoding_seconds']:>8.2f} s{found['steps_per_second_of_speech']:>9.1f}"
            f"{found['tokens_per_character']:>13.2f}"
        )


if __name__ == "__main__":
    main()
