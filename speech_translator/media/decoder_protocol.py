"""What the decoder pool and its processes say to each other.

Messages are datagrams on ``SOCK_SEQPACKET`` pairs::

    nursery → pool      b"R"                ready
    pool → nursery      b"F" + [socket]     fork a decoder that talks over this socket
    decoder → pool      b"H" or b"h" + [pidfd]  here I am
    pool → decoder      b"J" + JSON + [input, output]; live: [socket for both ways]
    decoder → pool      b"T" + JSON         the job has arrived; the upload is not touched yet
    decoder → pool      b"P" + JSON         progress: {"seconds"}
    decoder → pool      b"W" + JSON         live: waits for more, {"consumed"} bytes are used up
    decoder → pool      b"D" + JSON         done: a ReadSummary
    decoder → pool      b"E" + JSON         failed: {"code"}

The last two also tell ``peak_kb``, the most memory that the decoder used.
Either side ends when the other one's socket closes.
"""

READY = b"R"
FORK = b"F"
HERE = b"H"
UNFILTERED = b"h"
"""Here I am, on a kernel that does not filter system calls."""
JOB = b"J"
TAKEN = b"T"
PROGRESS = b"P"
DONE = b"D"
WANTING = b"W"
FAILED = b"E"

DAMAGED = "damaged_audio"
NO_SPACE = "no_space"
"""Codes of a failure, beside those of ``errors.InvalidAudio``'s kinds."""

MAX_MESSAGE = 4096
"""Bytes of the longest message."""
