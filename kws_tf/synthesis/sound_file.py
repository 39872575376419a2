"""Writes a sound; a full disk is an error."""

import io
import pathlib

import soundfile


def write(path, samples, sample_rate, subtype="PCM_16"):
    """Writes a file of the format that its suffix tells.

    It is encoded in memory: libsndfile itself says nothing when the disk is too full for the end of a file.

    Args:
        path: such as clip.flac. samples: int16, or floating point with full scale 1; [samples] or [samples, channels].
        sample_rate: Hz. subtype: of soundfile.

    Raises:
        OSError: it cannot be written.
    """
    path = pathlib.Path(path)
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, sample_rate, format=path.suffix.removeprefix("."), subtype=subtype)
    path.write_bytes(encoded.getbuffer())
