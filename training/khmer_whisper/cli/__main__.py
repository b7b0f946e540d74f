"""`python -m khmer_whisper.cli`, which `accelerate launch -m` starts, too."""

from khmer_whisper.cli import main

main()
