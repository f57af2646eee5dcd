"""The service's entry point: ``python rest_api_v2.py``, or ``uvicorn rest_api_v2:app``."""

import sys

from speech_translator.api.app import create_app
from speech_translator.api.program import main
from speech_translator.settings import load_settings

if __name__ == "__main__":
    sys.exit(main())

app = create_app(load_settings())
