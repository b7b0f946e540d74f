"""Acoustic models that give emissions, and the path through them."""

from __future__ import annotations

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.hub.resolve import resolve

MMS = "mms"
MMS_NAME = "torchaudio MMS_FA"


def identity(name: str) -> str:
    """What a record of an alignment calls the aligner, its weights included."""
    return MMS_NAME if name == MMS else resolve(name, "model").identity


def load(name: str, *, rank: int | None = None, offset: float | None = None) -> Aligner:
    """`mms`, or a CTC model of `transformers` by folder or Hub id, on this process's device.

    offset: seconds that its tokens come late, for recordings that cannot tell by themselves.
    """
    # The models' libraries take seconds to import, and `--help` needs none of them.
    from khmer_aligned.aligners.ctc import CtcAligner
    from khmer_aligned.aligners.mms import MmsAligner
    from khmer_aligned.aligners.windows import pick_device

    device = pick_device(rank)
    aligner = MmsAligner(device) if name == MMS else CtcAligner(name, device)
    if offset is not None:
        aligner.offset = offset
    return aligner
