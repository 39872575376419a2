"""How much sound the frames of an MP3 file hold, from their headers (ISO 11172-3 and 13818-3, Layer III).

An MP3 without a Xing, Info or VBRI frame does not say how long it is. libsndfile then guesses from the bit rate of the first frame and
reads no further than its guess; and of files that were joined it reads the first.
"""

import typing

_RATES_HZ = (44100, 48000, 32000)
_KBPS = {True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
         False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}
# Bits 3 and 4 of the second byte -> MPEG 1 (or 2 and 2.5), divisor of the rate.
_VERSIONS = {3: (True, 1), 2: (False, 2), 0: (False, 4)}
# Before the first frame there may be padding, pictures and tags of other kinds.
_LONGEST_START = 1 << 16


class Frames(typing.NamedTuple):
    """What the frames of a file hold.

    Args:
        samples: of one channel, padding of encoder and decoder included.
        counted: whether the first frame says how many there are.
    """

    samples: int
    counted: bool


def measure(path):
    """Walks over the frames of an MP3 file, up to the first bytes that are no frame and no ID3 tag.

    Args:
        path: of a file that can be read.

    Returns:
        Frames; of 0 samples if no frame of Layer III whose length is known is found near its beginning.
    """
    with open(path, "rb") as file:
        data = file.read()
    place, samples, counted = _first_frame(data), 0, None
    while True:
        place = _after_tags(data, place)
        size, length = _frame(data[place:place + 4])
        if not size:
            return Frames(samples, bool(counted))
        tagged, says = _count(data[place:place + min(size, 64)])
        counted = says if counted is None else counted
        # The frame that counts the others holds no sound; in files that were joined there is one for each.
        samples += 0 if tagged else length
        place += size


def _first_frame(data):
    """The place of the first frame that another one follows."""
    start = _after_tags(data, 0)
    for place in range(start, min(start + _LONGEST_START, len(data))):
        size, _ = _frame(data[place:place + 4]) if data[place] == 0xFF else (0, 0)
        if size and (place == start or _frame(data[place + size:place + size + 4])[0]):
            return place
    return start


def _count(frame):
    """(whether the frame is one that counts the others, whether it does so) by its first bytes."""
    for tag in (b"Xing", b"Info"):
        if tag in frame:
            flags = frame[frame.index(tag) + 4:][:4]
            return True, len(flags) == 4 and bool(flags[3] & 1)
    return b"VBRI" in frame, b"VBRI" in frame


def _after_tags(data, place):
    """The place behind any ID3v2 tags: 10 bytes, of which the last four hold 7 bits each of the size of what follows."""
    while data[place:place + 3] == b"ID3" and len(data) >= place + 10:
        size = 0
        for byte in data[place + 6:place + 10]:
            size = size << 7 | byte & 0x7F
        place += 10 + size + 10 * bool(data[place + 5] & 0x10)          # and a footer
    return place


def _frame(header):
    """(bytes, samples) of a frame by its first four bytes; (0, 0) if they are no header of Layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2 or header[1] >> 3 & 3 not in _VERSIONS:
        return 0, 0
    first, divisor = _VERSIONS[header[1] >> 3 & 3]
    rate, kbps = header[2] >> 2 & 3, header[2] >> 4
    if rate == 3 or kbps in (0, 15):
        return 0, 0
    samples = 1152 if first else 576
    return samples // 8 * 1000 * _KBPS[first][kbps] // (_RATES_HZ[rate] // divisor) + (header[2] >> 1 & 1), samples
