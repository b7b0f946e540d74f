"""Whether a plan may be joined: all shards are aligned, and the source is what was planned."""

from __future__ import annotations

from khmer_aligned.dataset.state import Plan
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.snapshot import changed_since
from khmer_aligned.stores import as_path

_SHOWN = 5  # shards or files


def check_complete(plan: Plan) -> None:
    """Raises UserError, with their numbers, where shards are not aligned."""
    missing = plan.missing
    if missing:
        shown = ", ".join(str(index + 1) for index in missing[:_SHOWN])
        more = ", ..." if len(missing) > _SHOWN else ""
        raise UserError(
            f"{plan.state.out}: {len(missing)} of {len(plan.shards)} shards are not aligned "
            f"(number {shown}{more}); align them with: khmer-aligned build {plan.source} "
            f"{plan.state.out}"
        )


def check_unchanged(plan: Plan) -> None:
    """Raises UserError where the source is not any more what was planned."""
    again = (
        "start the build again, and only that is aligned anew: khmer-aligned build "
        f"{plan.source} {plan.state.out}"
    )
    if plan.files.is_file():
        root = as_path(plan.source)
        changed = changed_since(sources.files_of(root, plan.kind), plan.files)
        if changed:
            shown = ", ".join(changed[:_SHOWN])
            more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
            raise UserError(f"{root}: changed while the build read it: {shown}{more}; {again}")
    if plan.changed_outcomes():
        raise UserError(f"{plan.source}: changed while the build read it; {again}")
