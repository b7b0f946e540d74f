"""What a user's program does with a Hub, step by step: `python client.py STEPS`.

STEPS is JSON, [[name, {argument: value}], ...]; for each step one line of JSON is printed, what
it gave or {"user_error": the message}. Any other error ends the program with its traceback. An
argument `token` is who takes the step ("" for nobody).
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from khmer_aligned.errors import UserError
from khmer_aligned.hub import patience
from khmer_aligned.hub.publish import Settings, publish
from khmer_aligned.hub.resolve import resolve


def rows(name: str, streaming: bool = False) -> dict:
    """Every row of every split as `load_dataset` gives it, the audio by its hash."""
    from datasets import Audio, load_dataset

    source = resolve(name, "dataset")
    splits = load_dataset(source.path, revision=source.revision, streaming=streaming)
    rows_of = {}
    for split, rows in splits.cast_column("audio", Audio(decode=False)).items():
        rows_of[split] = [
            row | {"audio": hashlib.sha256(row["audio"]["bytes"]).hexdigest()} for row in rows
        ]
    return rows_of


def whisper(folder: str, seed: int) -> dict:
    """A trained model's folder, with a very small Whisper of random weights."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    layers = {f"{half}_layers": 1 for half in ("encoder", "decoder")}
    heads = {f"{half}_attention_heads": 2 for half in ("encoder", "decoder")}
    widths = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": 8}
    lengths = {"max_source_positions": 50, "max_target_positions": 40}
    specials = {f"{name}_token_id": 299 for name in ("pad", "bos", "eos", "decoder_start")}
    tokens = {"vocab_size": 300, "suppress_tokens": None, "begin_suppress_tokens": None}
    config = WhisperConfig(**layers, **heads, **widths, **lengths, **specials, **tokens)
    torch.manual_seed(seed)
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    Path(folder, "README.md").write_text(CARD, encoding="utf-8")
    return {}


def weights(name: str) -> dict:
    """A hash of each parameter as `from_pretrained` gives it."""
    from transformers import WhisperForConditionalGeneration

    source = resolve(name, "model")
    model = WhisperForConditionalGeneration.from_pretrained(source.path, revision=source.revision)
    return {
        key: hashlib.sha256(value.numpy().tobytes()).hexdigest()
        for key, value in model.state_dict().items()
    }


CARD = "---\nlanguage: km\nlicense: mit\n---\n# Whisper\n"


def hurry() -> dict:
    """Let the publishes that follow wait next to nothing between attempts."""
    patience.FIRST_WAIT = 0.01
    return {}


TOKEN = os.environ.get("HF_TOKEN", "")
STEPS = {
    "publish": lambda folder, repo_id, repo_type, **settings: asdict(
        publish(Path(folder), repo_id, repo_type, Settings(**settings))
    ),
    "resolve": lambda name, repo_type: asdict(resolve(name, repo_type)),
    "hurry": hurry,
    "rows": rows,
    "whisper": whisper,
    "weights": weights,
}

if __name__ == "__main__":
    for name, arguments in json.loads(sys.argv[1]):
        os.environ["HF_TOKEN"] = arguments.pop("token", TOKEN)
        try:
            answer = STEPS[name](**arguments)
        except UserError as error:
            answer = {"user_error": str(error)}
        print(json.dumps(answer), flush=True)
