"""Transcripts as files: plain text, SubRip (SRT), WebVTT, JSON and DOCX.

All writers are pure: segments in, one string out, or bytes. ``translated=True`` writes the
translations.
"""

from speech_translator.exports.cues import Cue, cues
from speech_translator.exports.docx import DOCX_TYPE, to_docx
from speech_translator.exports.writers import to_json, to_srt, to_text, to_vtt

__all__ = ["DOCX_TYPE", "Cue", "cues", "to_docx", "to_json", "to_srt", "to_text", "to_vtt"]
