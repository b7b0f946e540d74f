"""A model folder for other engines, written only where they give the text of the original."""

from khmer_whisper.exports.export import Exported, export

__all__ = ["Exported", "export"]
