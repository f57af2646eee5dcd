"""Audio in and out: sniffing, sandboxed decoding, resampling, encoding.

Nothing here imports a codec at import time: uploads are decoded in processes of their own, and the
encoders load PyAV when they are first needed.
"""
