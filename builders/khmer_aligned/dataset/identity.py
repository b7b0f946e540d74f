"""What decides the result of a build besides its recordings: settings, models and versions."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from khmer_aligned import aligners
from khmer_aligned.dataset.config import JOIN_OPTIONS, BuildConfig
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.text import NORMALIZER_VERSION, SEGMENTER

_PACKAGES = ("datasets", "khmercut", "numba", "soundfile", "soxr", "torch", "torchaudio",
             "transformers", "uroman")  # fmt: skip
_SHOWN = 3  # differences


def identify(config: BuildConfig) -> dict[str, Any]:
    """The configuration with the versions of its models, and the versions of the software.

    Raises UserError where a model is missing.
    """
    pinned = {
        "aligner": aligners.identity(config.aligner),
        "tokenizer": resolve(config.tokenizer, "model").identity,
    }
    return {"config": asdict(config) | pinned, "versions": _versions()}


def pin_models(config: BuildConfig) -> BuildConfig:
    """`config` with models that are found from every folder: whole paths, commits of the Hub."""
    source = resolve(config.tokenizer, "model")
    tokenizer, aligner = source.pinned, config.aligner
    if source.revision is None:
        tokenizer = str(Path(tokenizer).absolute())
    if Path(aligner).is_dir():
        aligner = str(Path(aligner).absolute())
    return replace(config, aligner=aligner, tokenizer=tokenizer)


def check_settings(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises UserError, with what differs, where two identities would give different outcomes."""
    differences = [
        f"{name} {_short(old.get(name))}, not {_short(new.get(name))}"
        for old, new in (
            (_flat(before["config"]), _flat(now["config"])),
            (before["versions"], now["versions"]),
        )
        for name in sorted(old | new)
        if old.get(name) != new.get(name) and name not in JOIN_OPTIONS
    ]
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise UserError(
            f"{out}: holds a build with {'; '.join(differences[:3])}{more}; name a new folder, or "
            "remove this one"
        )


def outcome_settings(identity: dict[str, Any]) -> list[dict[str, Any]]:
    """What of an identity decides the outcome of a recording."""
    config = {k: v for k, v in identity["config"].items() if k not in JOIN_OPTIONS}
    return [config, identity["versions"]]


def _versions() -> dict[str, str]:
    return {
        "khmer-aligned": version("khmer-aligned"),
        "normalizer": NORMALIZER_VERSION,
        "segmenter": SEGMENTER,
        **{package: version(package) for package in _PACKAGES},
    }


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k != "thresholds"} | config["thresholds"]


def _short(value: object) -> str:
    return str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
