"""The service's entry point: ``python rest_api_v2.py``, or ``uvicorn rest_api_v2:app``."""

from speech_translator.api.app import create_app
from speech_translator.api.server import serve
from speech_translator.settings import Settings

settings = Settings()
app = create_app(settings)

if __name__ == "__main__":
    serve(settings, app)
