"""The models that can be pulled from a hub, as data.

Revisions, sizes and digests stand here where several public sources agree on them; what nobody
states is None, and the first pull records it. Languages are those that the model was trained for,
as far as the language table knows them.
"""

from __future__ import annotations

from speech_translator.engines.model_card import HubFile, HubSource, ModelCard
from speech_translator.engines.values import Task

RECORDED = "recorded at first pull"
"""Stands for a revision that is not known beforehand."""

_BEFORE_V3 = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he"
    " hi hr ht hu hy id is it ja jv ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne"
    " nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk"
    " ur uz vi yi yo zh"
)
WHISPER_LANGUAGES = tuple(_BEFORE_V3.split())
"""Those of the models before large-v3, which adds Cantonese."""

_NLLB_LANGUAGES = (
    "ace ace-Arab acm acq aeb af ajp ak am apc ar ars ary arz as ast awa ay az azb ba ban be bem bg"
    " bho bjn bjn-Arab bm bn bo bs bug ca ceb cjk ckb crh cs cy da de dik dyu dz ee el en eo es et"
    " eu fa ff fi fj fo fon fr fur ga gd gl gn gu ha he hi hne hr ht hu hy id ig ilo is it ja jv ka"
    " kab kac kam kbp kea kg ki kk km kmb kn ko kr kr-Arab ks ks-Deva ku ky lb lg li lij lmo ln lo"
    " lt ltg lua luo lus lv mag mai mg mi min mk ml mn mni mos mr ms mt my ne nl nn no nso nus ny"
    " oc om or pa pag pap pl prs ps pt qu rn ro ru rw sa sat-Beng sc scn sd sg shn si sk sl sm sn"
    " so sq sr ss st su sv sw szl ta taq taq-Tfng te tg th ti tk tl tn tpi tr ts tt tum tw tzm ug"
    " uk umb ur uz vec vi war wo xh yi yo yue zh zh-Hant zu"
)
_M2M100_LANGUAGES = (
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha"
    " he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my"
    " ne nl no nso oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz"
    " vi wo xh yi yo zh zu"
)
_MADLAD_LANGUAGES = (
    "ace ady af ak alt am ar arn as av ay az ba ban be bg bho bi bik bm bn bo br bs bua ca ce ceb"
    " ch cjk ckb co crh crs cs cv cy da de dv dyu dz ee el en eo es et eu fa fi fj fo fon fr frp fy"
    " ga gag gd gl gn gom grc gsw gu gv ha haw he hi hil hmn ho hr ht hu hy iba id ig ilo is it iu"
    " ja jv ka kaa kac kbd kbp kg kj kjh kk kl km kmb kn ko krc ku kum kv kw ky la lb lg ln lo lt"
    " ltg lu lus lv mag mai mdf mg mh mi min mk ml mn mni mr mrj ms mt my myv ne nl no nog nr nso"
    " nv ny oc om or os pa pag pam pap pl ps pt qu quc rm rn ro ru rw sa sah sd se sg shn si sk sl"
    " sm sn so sq sr ss st su sv sw ta te tet tg th ti tiv tk tl tlh tn to tr ts tt tyv udm ug uk"
    " ur uz ve vec vi wa war wo xal xh yi yo yue za zh zu zza"
)


def _card(
    model_id: str,
    *,
    name: str,
    family: str,
    languages: tuple[str, ...],
    licence: str,
    provenance: str,
    hub: HubSource,
    pairs: tuple[tuple[str, str], ...] = (),
) -> ModelCard:
    recognition = family == "whisper"
    task: Task = "recognition" if recognition else "translation"
    weights = next(file for file in hub.files if file.name == "model.bin")
    # A sum that leaves a file out would be no size.
    sizes = [file.size for file in hub.files if file.size is not None]
    return ModelCard(
        id=model_id,
        engine="whisper" if recognition else "ctranslate2",
        task=task,
        name=name,
        languages=languages,
        pairs=pairs,
        size_bytes=sum(sizes) if len(sizes) == len(hub.files) else 0,
        licence=licence,
        commercial_use="-NC-" not in licence,
        source=f"Hugging Face: {hub.repository}",
        revision=hub.revision or RECORDED,
        sha256=weights.sha256,
        provenance=provenance if hub.revision else f"{provenance} Its revision is {RECORDED}.",
        embedded=False,
        install=f"speech-translator models pull {model_id}",
        family=family,
        hub=hub,
    )


def _files(table: str) -> tuple[HubFile, ...]:
    """Name, size and SHA-256 a line; ``-`` for what is not known."""
    rows = (line.split() for line in table.splitlines() if line)
    return tuple(
        HubFile(name, None if size == "-" else int(size), None if sha256 == "-" else sha256)
        for name, size, sha256 in rows
    )


_TOKENS = """
tokenizer.json 2203239 fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab
vocabulary.txt 459861 34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913
"""
_V3_TOKENS = """
preprocessor_config.json 340 7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711
vocabulary.json 1068114 c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1
"""


def _whisper(
    size: str,
    revision: str,
    files: str,
    repository: str = "",
    converted: str = "SYSTRAN, the authors of faster-whisper",
) -> ModelCard:
    return _card(
        f"whisper-{size}",
        name=f"Whisper {size}",
        family="whisper",
        languages=(*WHISPER_LANGUAGES, "yue") if "v3" in size else WHISPER_LANGUAGES,
        licence="MIT",
        provenance=f"Trained by OpenAI; converted to CTranslate2 (float16) by {converted}.",
        hub=HubSource(repository or f"Systran/faster-whisper-{size}", revision, _files(files)),
    )


_WHISPER = (
    _whisper(
        "tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        _TOKENS
        + """
config.json 2249 a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8
model.bin 75538270 dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1
""",
    ),
    _whisper(
        "base-systran",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        _TOKENS
        + """
config.json 2309 56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a
model.bin 145217532 d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9
""",
        repository="Systran/faster-whisper-base",
    ),
    _whisper(
        "small",
        "536b0662742c02347bc0e980a01041f333bce120",
        _TOKENS
        + """
config.json 2370 b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828
model.bin 483546902 3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671
""",
    ),
    _whisper(
        "medium",
        "08e178d48790749d25932bbc082711ddcfdfbc4f",
        _TOKENS
        + """
config.json 2257 3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807
model.bin 1527906378 9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae
""",
    ),
    _whisper(
        "large-v3",
        "edaa852ec7e145841d8ffdb056a99866b5f0a478",
        _V3_TOKENS
        + """
config.json 2394 a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9
model.bin 3087284237 69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1
tokenizer.json 2480617 6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca
""",
    ),
    _whisper(
        "large-v3-turbo",
        "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        _V3_TOKENS
        + """
config.json 2263 b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e
model.bin 1617884929 e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da
tokenizer.json 2710337 297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd
""",
        repository="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        converted="Mobius Labs, in the repository that faster-whisper names for it",
    ),
)

_MULTILINGUAL = (
    _card(
        "m2m100-418m",
        name="M2M-100 418M, int8",
        family="m2m100",
        languages=tuple(_M2M100_LANGUAGES.split()),
        licence="MIT",
        provenance=(
            "Trained by Meta AI (Fan et al., 2020); converted to CTranslate2 (int8) by Jonathan "
            "Craton."
        ),
        hub=HubSource(
            "jncraton/m2m100_418M-ct2-int8",
            "7c1b2620a4e58dacecbd8bf89cfd6da7eb9eb7b0",
            _files("""
config.json - -
model.bin - d6703dd9f920ff896e45c3d97b490761bed5944937b90bbe6a7245f5652542d4
sentencepiece.bpe.model - d8f7c76ed2a5e0822be39f0a4f95a55eb19c78f4593ce609e2edbc2aea4d380a
shared_vocabulary.json - -
"""),
        ),
    ),
    _card(
        "madlad400-3b",
        name="MADLAD-400 3B, int8",
        family="madlad400",
        languages=tuple(_MADLAD_LANGUAGES.split()),
        licence="Apache-2.0",
        provenance=(
            "Trained by Google (Kudugunta et al., 2023); converted to CTranslate2 (int8) by "
            "Santhosh Thottingal."
        ),
        hub=HubSource(
            "santhosh/madlad400-3b-ct2",
            "c32ad0cf118807ea6258d14be137547155842723",
            _files("""
config.json 190 a428c51cd35517554523b3c6b6974a5928bc35e82b130869a543566a34a83b93
model.bin 2950208251 f3c87256a2c888100c179d7dcd7f41df17c767469546c59d32c7dde86c740a6b
sentencepiece.model 4427844 ef11ac9a22c7503492f56d48dce53be20e339b63605983e9f27d2cd0e0f3922c
shared_vocabulary.json 5477099 c327551ce3ca6efc7b437e11a267f79979893332dda8a1d146e2c950815193f8
"""),
        ),
    ),
    _card(
        "nllb-200-distilled-600m",
        name="NLLB-200 distilled 600M, int8",
        family="nllb",
        languages=tuple(_NLLB_LANGUAGES.split()),
        licence="CC-BY-NC-4.0",
        provenance=(
            "Trained by Meta AI (NLLB team, 2022), not for commercial use; converted to CTranslate2"
            " (int8) by the single uploader mijuanlo, so pinned by digest."
        ),
        hub=HubSource(
            "mijuanlo/nllb-200-distilled-600M-ct2-int8",
            "16bc5ff0482f9f1c0d35bdef950721ce58640789",
            _files("""
config.json 1065 bf8ade7c3f1683e5f13001bab18b04a1ccd1a6801208efd227ed13b2ff6f15e7
model.bin 622596105 398726640cc2a02cc6a35277fa3cf2159ce8a1a66b48aa1b6c8837a47e3dd00c
sentencepiece.bpe.model 4852054 14bb8dfb35c0ffdea7bc01e56cea38b9e3d5efcdcb9c251d6b40538e1aab555a
shared_vocabulary.json 5921176 af53bfd0e6f726209e7325e45b87ab3b14e5856f7d42d7b9be91de3287c45267
"""),
        ),
    ),
)


_UNPINNED = """
config.json - -
model.bin - -
shared_vocabulary.json - -
source.spm - -
target.spm - -
"""


def _opus(source: str, target: str, repository: str, revision: str | None, files: str) -> ModelCard:
    return _card(
        f"opus-mt-{source}-{target}",
        name=f"Opus-MT, {source} to {target}",
        family="opus-mt",
        languages=(source, target),
        pairs=((source, target),),
        licence="CC-BY-4.0",
        provenance=(
            "Trained by the Language Technology group of the University of Helsinki (Tiedemann and "
            "Thottingal, 2020); converted to CTranslate2 by the single uploader "
            f"{repository.partition('/')[0]}."
        ),
        hub=HubSource(repository, revision, _files(files)),
    )


# Not every repository that is named like a conversion has weights in it: these are known to.
_OPUS = (
    _opus("de", "en", "gaudi/opus-mt-de-en-ctranslate2", None, _UNPINNED),
    _opus("en", "de", "gaudi/opus-mt-en-de-ctranslate2", None, _UNPINNED),
    _opus("fr", "en", "gaudi/opus-mt-fr-en-ctranslate2", None, _UNPINNED),
    _opus(
        "en",
        "fr",
        "michaelfeil/ct2fast-opus-mt-en-fr",
        "55bcef18761227161433d86b81bbbcd9d813b429",
        _UNPINNED.replace("vocabulary.json", "vocabulary.txt"),
    ),
    _opus(
        "es",
        "en",
        "michaelfeil/ct2fast-opus-mt-es-en",
        "437f5ffc6c8544943c685ea405650e0d17cf6098",
        """
config.json 159 0c2f6fa2057c7264d052fb4a62ba3476eeae70487acddfa8e779a53a00cbf44c
shared_vocabulary.txt 666435 77aee99211b7b8e569e0fb5b95dac01aba9f31bca2d1380b1fc6050797825ec6
model.bin 155502501 3a3b91dcb396ee7b682554e7d9f501909385c48b478a691bfe9bf9e3e32d3656
source.spm 825924 e236ee6d866b635c0142114f8647f39831f9d92534aa2aad75c942f6a78ad0e3
target.spm 801636 4dd547c24816a335e7b0b2e63376a8f1b3cbfc671eda5ab808dd44fdadaa8791
""",
    ),
    _opus(
        "en",
        "es",
        "michaelfeil/ct2fast-opus-mt-en-es",
        "76ec296588e2234f9b7dfad5254219a0f5ecb7af",
        """
config.json 159 0c2f6fa2057c7264d052fb4a62ba3476eeae70487acddfa8e779a53a00cbf44c
shared_vocabulary.txt 666435 77aee99211b7b8e569e0fb5b95dac01aba9f31bca2d1380b1fc6050797825ec6
model.bin 155502501 36cd9bcb181fc6d5832deeaf770ce183ff4edbbc5e4fe0f86cec92da4379f3b7
source.spm 801636 4dd547c24816a335e7b0b2e63376a8f1b3cbfc671eda5ab808dd44fdadaa8791
target.spm 825924 e236ee6d866b635c0142114f8647f39831f9d92534aa2aad75c942f6a78ad0e3
""",
    ),
    _opus("it", "en", "gaudi/opus-mt-it-en-ctranslate2", None, _UNPINNED),
    _opus("en", "it", "ooeoeo/opus-mt-en-it-ct2-float16", None, _UNPINNED),
    _opus(
        "ru",
        "en",
        "gaudi/opus-mt-ru-en-ctranslate2",
        "d5c98dcc59a677e768e00ab6e29fbdea80a53729",
        _UNPINNED,
    ),
    _opus("en", "ru", "ooeoeo/opus-mt-en-ru-ct2-float16", None, _UNPINNED),
    _opus(
        "zh",
        "en",
        "gaudi/opus-mt-zh-en-ctranslate2",
        "05d8fc158397bae0c65b8d46c858b6c18e094c12",
        """
config.json 215 ce02c0c0d02f285d2ff34c80b0867ccb5c4a3b250a275e6d1d2884f5499a6e46
model.bin 155502615 a188bc45bce24635a1eb0cc42ad0b43afdad806b86af9beb3065bba11f3b212c
shared_vocabulary.json 1303998 acbf13516c56af2bb78ebdb770c2e4648fd8232ddd17af75298119cbfa7ee33d
source.spm 804677 e27a3a1b539f4959ec72ea60e453f49156289f95d4e6000b29332efc45616203
target.spm 806530 6a881f4717cd7265f53fea54fd3dc689c767c05338fac7a4590f3088cb2d7855
""",
    ),
    _opus(
        "en",
        "zh",
        "gaudi/opus-mt-en-zh-ctranslate2",
        "dcd22168f08b99dd34c62bc2195e31dc2f04e90b",
        """
config.json 215 ce02c0c0d02f285d2ff34c80b0867ccb5c4a3b250a275e6d1d2884f5499a6e46
model.bin 155502615 f24c2bb82368f7de0196882de1d8b644d2aa54ae2439c3142f263de8a64ea2a9
shared_vocabulary.json 1303887 37314a6abb25ed8f8497498aeeb31fcea98de892bf00ff7c2e8c966b26fe0b82
source.spm 806435 5775ddc9e3ff2fae91554da56468ad35ff56edaba870fea74447bc7234bfdaa8
target.spm 804600 81dc94efa84e4025ef38d25d5d07429fe41e3eb29d44003f1db6fe98487b0052
""",
    ),
)

CARDS = (*_WHISPER, *_OPUS, *_MULTILINGUAL)
"""All of them; of those for a pair, the one to prefer first."""
