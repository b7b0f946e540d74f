"""Acoustic models: a waveform to the log-probability of each token at each frame."""

from __future__ import annotations

from khmer_aligned.aligners.base import LAG, MMS_NAME, Aligner
from khmer_aligned.hub.resolve import Source, resolve

MMS = "mms"
# Names for published models. Omnilingual ASR (Meta, 2025) as converted to Wav2Vec2ForCTC.
PUBLISHED = {
    "omniasr": "aadel4/omniASR-CTC-300M-v2",
    "omniasr-1b": "aadel4/omniASR-CTC-1B-v2",
}


def identity(name: str) -> str:
    """The aligner's name in a record of an alignment, its weights included."""
    return MMS_NAME if name == MMS else _locate(name).identity


def licence(name: str) -> str:
    """The licence of the aligner's weights, `unknown` where nobody says."""
    from khmer_aligned.aligners import licences

    if name == MMS:
        return licences.MMS_FA
    return licences.licence(_locate(name))


def stated_lag(name: str) -> float | None:
    """Seconds that an aligner's tokens come late, where its config.json states them."""
    if name == MMS:
        return None
    from transformers import PreTrainedConfig

    source = _locate(name)
    config, _ = PreTrainedConfig.get_config_dict(source.path, revision=source.revision)
    lag: float | None = config.get(LAG)
    return lag


def load(name: str, *, rank: int | None = None) -> Aligner:
    """Load an aligner on this process's device: `mms`, `omniasr`, `omniasr-1b`, or a CTC model of
    `transformers` by folder or Hub id.

    rank: of this worker process of `Dataset.map`. Raises UserError for a model that cannot be
    loaded or is no CTC model.
    """
    # Imported here because these libraries take seconds, and `--help` needs none of them.
    from khmer_aligned.aligners import ctc
    from khmer_aligned.aligners.mms import MmsAligner
    from khmer_aligned.device import pick_device

    device = pick_device(rank)
    if name == MMS:
        return MmsAligner(device)
    return ctc.load(_locate(name), name, device)


def _locate(name: str) -> Source:
    """Where a CTC model is, by folder, Hub id or one of the names in PUBLISHED."""
    return resolve(PUBLISHED.get(name, name), "model")
