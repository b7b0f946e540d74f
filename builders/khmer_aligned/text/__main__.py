"""Show a text at every level, as a Markdown table: `python -m khmer_aligned.text "..."`."""

from __future__ import annotations

import click

from khmer_aligned.text import Transcript


@click.command()
@click.argument("text")
def main(text: str) -> None:
    """Print TEXT canonical and spoken, then each word with the raw characters it comes from."""
    transcript = Transcript.from_text(text)
    click.echo(f"raw        {text}")
    click.echo(f"canonical  {transcript.canonical}")
    click.echo(f"spoken     {transcript.spoken}\n")
    alternatives = {
        ambiguity.first: [
            " ".join(word.text for word in reading) for reading in ambiguity.readings[1:]
        ]
        for ambiguity in transcript.ambiguities
    }
    click.echo("| raw span | raw | spoken word | letters | break after | alternatives |")
    click.echo("|---|---|---|---|---|---|")
    for k, word in enumerate(transcript.words):
        start, end = word.span
        cells = (
            f"{start}-{end}",
            text[start:end],
            word.text,
            word.romanized or "*",
            word.break_after.name.lower(),
            "; ".join(alternatives.get(k, ())),
        )
        click.echo(f"| {' | '.join(cell.replace('|', '¦') for cell in cells)} |")


if __name__ == "__main__":
    main()
