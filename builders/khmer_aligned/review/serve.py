"""A review of a built folder: what is to be checked, the server, and the numbers at its end."""

from __future__ import annotations

import getpass
import json
import shlex
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from khmer_aligned.alignment.doubts import UNREAD
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.console import note
from khmer_aligned.dataset.card import renew_card
from khmer_aligned.dataset.checked import count_checked, describe_checked, describe_sample
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.origin import Origin, read_origin
from khmer_aligned.dataset.report import Report
from khmer_aligned.dataset.verify import read_report
from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_aligned.recordings.corrections import CLIP, FILE, Decision
from khmer_aligned.report.items import Item, read_items
from khmer_aligned.report.source import Source
from khmer_aligned.review.realign import Realigner
from khmer_aligned.review.sample import draw
from khmer_aligned.review.session import Session

PORT = 8017
_MIN_SILENCE = 1.0  # seconds; shorter silence is nothing to check


@dataclass(frozen=True)
class ReviewSettings:
    """What is reviewed and where it is served.

    clip: the key of the clip or rejection to begin with. sample: how many clips are drawn at
    random, by `seed`. again: show what was decided before as if nobody had, for a second look.
    source, aligner, tokenizer, corrections: where these are, if not where the build had them.
    """

    clip: str | None = None
    sample: int | None = None
    seed: int = 1
    again: bool = False
    who: str | None = None
    source: str | None = None
    corrections: Path | None = None
    aligner: str | None = None
    tokenizer: str | None = None
    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None


def review(folder: Path, settings: ReviewSettings) -> str:
    """Serve the review of a built folder until it is interrupted; returns its numbers in words.

    Raises UserError where the folder is no build, its recordings are not at hand, or another
    address than this machine's own is asked for without a token.
    """
    try:
        import uvicorn

        from khmer_aligned.review.app import make_app
        from khmer_aligned.review.guard import LOOPBACK
    except ImportError as error:
        raise UserError(f"{error.name} is missing: pip install 'khmer-aligned[web]'") from error
    if settings.host not in LOOPBACK and not settings.token:
        raise UserError(
            f"--host {settings.host}: anybody who reaches it could change the corrections; give "
            "--token with a secret, too"
        )
    report = read_report(folder)
    session, first = open_session(folder, report, settings)
    realigner = make_realigner(report, read_origin(folder), settings)
    Thread(target=_load, args=(realigner,), daemon=True).start()
    app = make_app(
        session, realigner, name=folder.resolve().name, first=first, token=settings.token
    )
    with socket.create_server((settings.host, settings.port)) as listener:
        port = listener.getsockname()[1]
        query = f"?token={settings.token}" if settings.token else ""
        note(f"review of {len(session.items):,} stretches; corrections go to {session.file}")
        note(f"open http://{settings.host}:{port}/{query} in a browser; end with Ctrl-C")
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it, too, ends with the numbers
        with suppress(KeyboardInterrupt):  # uvicorn has ended by itself, and raises it again
            uvicorn.Server(config).run(sockets=[listener])
    return record_checked(folder, session.decisions)


def _load(realigner: Realigner) -> None:
    try:
        realigner.load()
    except UserError as error:
        note(f"{error}; corrections are saved, but not aligned at once")


def open_session(folder: Path, report: Report, settings: ReviewSettings) -> tuple[Session, int]:
    """What there is to check in a build, and the index of the stretch to begin with."""
    origin = read_origin(folder)
    name = settings.source or origin.source
    if name is None:
        raise UserError(f"{folder}: what it was built from is not known here; give --source")
    file = settings.corrections or Path(name) / FILE
    if settings.corrections is None and not Path(name).is_dir():
        raise UserError(f"{name}: has no folder here to keep corrections in; give --corrections")
    items = read_items(folder)
    drawn = None
    if settings.sample is not None:
        drawn = draw(items, settings.sample, settings.seed, report["key"])
        recordings = _recordings_of(items, drawn.keys)
        items = [item for item in items if item.recording_id in recordings]
    source = Source(
        Origin(name, corrections=origin.corrections),
        report,
        {item.recording_id for item in items},
    )
    located = _reviewable(source.locate(items), source, settings.clip)
    if drawn is not None:
        by_key = {item.key: item for item in located}
        located = [by_key[key] for key in drawn.keys if key in by_key]
    if not located:
        raise UserError(
            f"{folder}: nothing to review is in {name}; is it what this was built from?"
        )
    session = Session(
        located,
        source,
        file,
        who=settings.who or getpass.getuser(),
        sample=drawn.name if drawn else "",
        again=settings.again,
    )
    return session, _first(located, settings.clip)


def _recordings_of(items: Sequence[Item], keys: Sequence[str]) -> set[str]:
    drawn = set(keys)
    return {item.recording_id for item in items if item.key in drawn}


def _reviewable(items: Sequence[Item], source: Source, clip: str | None) -> list[Item]:
    """The items that have audio and a place in the text: clips, then rejections.

    A phrase that was not read aloud is in the text of its clip, and short silence is no news.
    """
    kept, missing = [], 0
    for item in items:
        silence = item.reason == "silence" and item.seconds < _MIN_SILENCE
        if item.reason == UNREAD or item.start is None or (silence and item.key != clip):
            continue
        if item.span is None or not source.can_play(item):
            missing += 1
            continue
        kept.append(item)
    if missing:
        note(f"{missing:,} stretches cannot be reviewed: {source.name} lacks their audio or text")
    return sorted(kept, key=lambda item: (item.kind != CLIP, item.score or 0.0, -item.seconds))


def _first(items: Sequence[Item], clip: str | None) -> int:
    if clip is None:
        return -1  # the first that is not decided
    for index, item in enumerate(items):
        if item.key == clip:
            return index
    raise UserError(f"--clip {shlex.quote(clip)}: there is no such clip or rejection to review")


def make_realigner(report: Report, origin: Origin, settings: ReviewSettings) -> Realigner:
    """The aligner of a build with its thresholds and its lag."""
    recorded = report["config"]
    config = BuildConfig(
        aligner=settings.aligner or origin.aligner or recorded["aligner"],
        tokenizer=settings.tokenizer or origin.tokenizer or recorded["tokenizer"],
        max_labels=recorded["max_labels"],
        thresholds=Thresholds(**recorded["thresholds"]),
    )
    return Realigner(config, report["lag"]["seconds"])


def record_checked(folder: Path, decisions: Sequence[Decision]) -> str:
    """Write what was checked into build.json and the card; returns it in words."""
    report = read_report(folder)
    before = report.get("checked")
    checked = count_checked(decisions, before["stale"] if before else 0)
    if checked is None:
        return "nothing was checked"
    report["checked"] = checked
    card = folder / "README.md"
    write_whole(card, renew_card(report, card))
    write_whole(folder / "build.json", json.dumps(report, ensure_ascii=False, indent=2))
    lines = [describe_checked(checked)]
    if sample := checked["sample"]:
        lines.append(describe_sample(sample))
    lines.append("build again to put the corrections into the clips")
    return "\n".join(lines)
