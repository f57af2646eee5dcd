"""The command line: ``speech-translator serve | translate | transcribe | speak | models | doctor``.

The synchronous edge of the product. Commands go through the same async door as the API, with only
the engines that they need. Results go to standard output, everything else to standard error.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code; see ``cli.exit_codes``."""
    from speech_translator.cli.app import app  # noqa: PLC0415  importing a package stays cheap

    app(prog_name="speech-translator")
