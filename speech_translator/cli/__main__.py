"""``python -m speech_translator.cli``: the command line where the project is not installed."""

from speech_translator.cli import main

main()
