"""Acoustic models: a waveform to the log-probability of each token at each frame."""

from __future__ import annotations

from khmer_aligned.aligners.base import MMS_NAME, Aligner
from khmer_aligned.hub.resolve import resolve

MMS = "mms"


def identity(name: str) -> str:
    """The aligner's name in a record of an alignment, its weights included."""
    return MMS_NAME if name == MMS else resolve(name, "model").identity


def load(name: str, *, rank: int | None = None) -> Aligner:
    """Load `mms`, or a CTC model of `transformers` by folder or Hub id, on this process's device.

    rank: of this worker process of `Dataset.map`. Raises UserError for a model that cannot be
    loaded or is no CTC model.
    """
    # Imported here because these libraries take seconds, and `--help` needs none of them.
    from khmer_aligned.aligners.ctc import CtcAligner
    from khmer_aligned.aligners.mms import MmsAligner
    from khmer_aligned.device import pick_device

    device = pick_device(rank)
    return MmsAligner(device) if name == MMS else CtcAligner(name, device)
