"""Commands that use a model: evaluate, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from khmer_aligned.console import ConsoleCommand
from khmer_aligned.errors import UserError
from khmer_whisper.cli.quiet import quiet

if TYPE_CHECKING:
    from khmer_whisper.exports.formats import Format

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int8")
ENGINE_FORMATS = ("ctranslate2", "ggml")


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("dataset")
@click.option("--split", default="test", show_default=True, help="The split to score on.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Clips decoded at a time.",
)
@click.option("--streaming", is_flag=True, help="Put nothing of DATASET on disk.")
@click.option(
    "--long",
    "source",
    help="Also score whole recordings, transcribed as `transcribe` does: a folder of recordings "
    "and transcripts, or a dataset, as khmer-aligned reads them.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write predictions.jsonl and metrics.json into this folder.",
)
@quiet
def evaluate(
    model: str,
    dataset: str,
    split: str,
    batch_size: int,
    streaming: bool,
    source: str | None,
    out: Path | None,
) -> None:
    """Score MODEL on a split of DATASET."""
    from khmer_whisper import evaluation, long_form
    from khmer_whisper import model as models
    from khmer_whisper.examples import data
    from khmer_whisper.transcription.transcriber import Transcriber

    if out:
        if (out / "config.json").exists():
            raise UserError(f"{out}: holds a model and its own scores; name another folder")
        out.mkdir(parents=True, exist_ok=True)
    whisper = models.place(models.load(model))
    splits = data.load(dataset, streaming=streaming)
    result = evaluation.evaluate(whisper, splits, split, batch_size)
    left_out = list(result.left_out)
    whole: long_form.LongEvaluation | None = None
    if source:
        trained_on = splits.recordings("train") if splits.get("train") is not None else set()
        whole = long_form.evaluate_long(Transcriber(whisper), source, trained_on)
        left_out += whole.left_out
    if out:
        figures = {"whole_recordings": whole.as_dict()} if whole else {}
        evaluation.write_evaluation(out, result, splits, whisper.source, figures)
        if whole:
            long_form.write_predictions(out, whole)
    for item in left_out:
        click.echo(f"not scored: {item.id}: {item.reason}", err=True)
    click.echo(evaluation.format_scores(split, {model: result.scores}))
    if whole:
        click.echo(long_form.format_scores(model, whole))


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(ENGINE_FORMATS),
    default="ctranslate2",
    show_default=True,
    help="ctranslate2 for faster-whisper, ggml for whisper.cpp.",
)
@click.option("--dataset", help="Compare on its test split; by default the model's own dataset's.")
@click.option(
    "--quantization",
    type=click.Choice(QUANTIZATIONS),
    help="How the weights are stored: smaller, faster and less exact than float32.  "
    "[default: float32; float16 for ggml, which has no other]",
)
@click.option("--clips", type=click.IntRange(1), help="Compare on the first of them only.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Clips decoded at a time.",
)
@quiet
def export(
    model: str,
    out: Path,
    form: Format,
    dataset: str | None,
    quantization: str | None,
    clips: int | None,
    batch_size: int,
) -> None:
    """Write MODEL for CTranslate2 (faster-whisper) or whisper.cpp into the folder OUT.

    Both models are decoded and compared; an export whose texts differ is not written. Needs
    khmer-aligned[ctranslate2], for ggml pywhispercpp.
    """
    from khmer_whisper import exports
    from khmer_whisper.evaluation import format_scores

    result = exports.export(
        model,
        out,
        dataset,
        form=form,
        quantization=quantization,
        clips=clips,
        batch_size=batch_size,
    )
    scores = {"original": result.original.scores, "export": result.exported.scores}
    click.echo(format_scores(result.split, scores))
    click.echo(f"{result.same} of {len(result.original.predictions)} clips are the same text")
    for note in result.notes:
        click.echo(note)
    click.echo(f"\nModel folder: {out}")
