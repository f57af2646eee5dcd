"""Text on its way through a translation: checked, split, protected, put together again.

Everything here is pure: ``plan`` says what to translate and makes the result of the answers;
``detect_language`` reads a small model that is part of a package.
"""

from speech_translator.text.detection import Detection, detect_language
from speech_translator.text.documents import plan
from speech_translator.text.hints import Hint, Hints
from speech_translator.text.markup import visible
from speech_translator.text.sentences import has_letters
from speech_translator.text.validation import composed, validate_glossary, validate_text

__all__ = [
    "Detection",
    "Hint",
    "Hints",
    "composed",
    "detect_language",
    "has_letters",
    "plan",
    "validate_glossary",
    "validate_text",
    "visible",
]
