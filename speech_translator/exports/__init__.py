"""Transcripts as files: plain text, SubRip (SRT), WebVTT and JSON.

All writers are pure: segments in, one string out. ``translated=True`` writes the translations.
"""

from speech_translator.exports.cues import Cue, cues
from speech_translator.exports.writers import to_json, to_srt, to_text, to_vtt

__all__ = ["Cue", "cues", "to_json", "to_srt", "to_text", "to_vtt"]
