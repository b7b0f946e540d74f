"""One shard of a plan, aligned: the unit of work.

It becomes two files, each written whole or not at all: its clips, as they are published, and then
the outcomes of its recordings. A shard that has both is done, so whoever comes to it next leaves
it alone; two that do it at once write the same bytes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from khmer_aligned.clips.make import OUTCOME_FEATURES, MakeClips
from khmer_aligned.dataset.identity import check_settings, identify
from khmer_aligned.dataset.outcomes import write_outcomes
from khmer_aligned.dataset.state import Plan, require_plan
from khmer_aligned.recordings.snapshot import changed_files
from khmer_aligned.stores import as_path

# Characters of transcript in one call of the aligner: about half an hour of speech.
_BATCH_CHARACTERS = 20_000
_MAX_BATCH = 256  # recordings


def align_shard(out: Path, index: int) -> None:
    """Align the shard of this number of the build planned in `out`, unless it is done.

    Everything it needs is in the state of the build; the models stay loaded for the next call in
    this process. Raises UserError where the models or versions here are not those of the plan.
    """
    plan = require_plan(out)
    name = plan.shards[index]
    if plan.state.outcomes(name).is_file():
        return
    rows = plan.rows(index)
    recordings = plan.recordings().select(rows["row"].to_numpy())
    outcomes = recordings.map(
        _load_make_clips(plan.state.out, plan.key),
        batched=True,
        batch_size=_batch_size(recordings),
        remove_columns=recordings.column_names,
        features=OUTCOME_FEATURES,
        keep_in_memory=True,
        desc=f"Aligning shard {index + 1}/{len(plan.shards)}",
    )
    keys = _keys_of_unchanged(plan, recordings, rows["key"])
    write_outcomes(outcomes, keys, plan.state.clips(name), plan.state.outcomes(name))


def _keys_of_unchanged(
    plan: Plan, recordings: datasets.Dataset, keys: pa.ChunkedArray
) -> pa.ChunkedArray:
    """The keys, null for a recording whose file changed since it was planned.

    Its outcome may be of neither content, so that no later build may take it over.
    """
    if not plan.files.is_file():  # a dataset on the Hub
        return keys
    paths = [as_path(audio["path"]) if audio["path"] else None for audio in recordings["audio"]]
    named = sorted({path for path in paths if path is not None})
    changed = changed_files(as_path(plan.source), named, plan.tables / plan.files.name)
    return pc.if_else(pa.array([path in changed for path in paths]), None, keys)


@lru_cache(maxsize=1)
def _load_make_clips(out: Path, key: str) -> MakeClips:
    """The function that aligns; key: of the plan, so that another plan loads its own models."""
    plan: Plan = require_plan(out)
    config = plan.config
    check_settings(out, plan.identity, identify(config))
    return MakeClips(
        config.aligner,
        config.tokenizer,
        config.max_labels,
        plan.lag["seconds"],
        config.thresholds,
        config.track,
    )


def _batch_size(recordings: datasets.Dataset) -> int:
    characters = max(1, sum(len(text) for text in recordings["text"]))
    return min(_MAX_BATCH, max(1, _BATCH_CHARACTERS * len(recordings) // characters))
