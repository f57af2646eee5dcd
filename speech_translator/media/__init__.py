"""Audio in and out: sniffing, sandboxed decoding, resampling, encoding.

Nothing here imports a codec at import time: uploads are decoded in processes of their own, and the
encoders load PyAV when they are first needed.
"""

from speech_translator.media.decoder import DecoderPool
from speech_translator.media.decoder_values import DecodedAudio, DecoderConfig
from speech_translator.media.encoding import MEDIA_TYPES, StreamEncoder, encode
from speech_translator.media.pcm import PcmDecoder
from speech_translator.media.resampling import resample
from speech_translator.media.sniffing import sniff
from speech_translator.media.upload import spool

__all__ = [
    "MEDIA_TYPES",
    "DecodedAudio",
    "DecoderConfig",
    "DecoderPool",
    "PcmDecoder",
    "StreamEncoder",
    "encode",
    "resample",
    "sniff",
    "spool",
]
