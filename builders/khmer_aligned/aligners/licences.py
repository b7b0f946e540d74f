"""Under which licence an aligner's weights are, for the cards of what is made with them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import yaml
from huggingface_hub import HfApi, RepoCard

from khmer_aligned.hub.errors import UNREACHABLE
from khmer_aligned.hub.resolve import Source, stored_token

UNKNOWN = "unknown"
MMS_FA = "CC-BY-NC-4.0"
# Whose cards say nothing, or cannot be asked offline. Conversions are under the licence of the
# weights that they convert.
_KNOWN = {
    "aadel4/omniASR-CTC-300M-v2": "Apache-2.0",
    "aadel4/omniASR-CTC-1B-v2": "Apache-2.0",
    "aadel4/omniASR-W2V-300M": "Apache-2.0",
    "aadel4/omniASR-W2V-1B": "Apache-2.0",
    "facebook/mms-1b-all": "CC-BY-NC-4.0",
    "facebook/w2v-bert-2.0": "MIT",
    "facebook/wav2vec2-xls-r-300m": "Apache-2.0",
    "seanghay/w2v-bert-2.0-khmer": "MIT",
    "vitouphy/wav2vec2-xls-r-300m-khmer": "Apache-2.0",
}


def licence(source: Source) -> str:
    """The licence of a model: a known one, what its card says, else `unknown`."""
    if source.revision is None:
        return _of_card(Path(source.path) / "README.md")
    if source.path in _KNOWN:
        return _KNOWN[source.path]
    with suppress(*UNREACHABLE):
        info = HfApi(token=stored_token()).model_info(source.path, revision=source.revision)
        return (info.card_data and info.card_data.license) or UNKNOWN
    return UNKNOWN


def note(licence: str) -> str:
    """What follows from an aligner's licence for a dataset made with it; a sentence or two."""
    if licence == UNKNOWN:
        return (
            "The licence of the aligner's weights is not known: whether they may be used is for "
            "the publisher to settle."
        )
    if "-nc" in licence.lower():
        return (
            f"The aligner's weights are licensed {licence}: they are for non-commercial use, and "
            "whether that reaches the time stamps made with them is for the publisher to settle."
        )
    return f"The aligner's weights are licensed {licence}."


def _of_card(path: Path) -> str:
    try:
        data = RepoCard.load(path, ignore_metadata_errors=True).data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):
        return UNKNOWN
    return str(data.get("license") or UNKNOWN)
