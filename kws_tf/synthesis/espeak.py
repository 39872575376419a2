"""Text to speech by espeak-ng, driven through ctypes: small, offline, more than a hundred languages times a hundred speakers.

The library and its data come from the package espeakng-loader, the extra `synth`. espeak-ng is licensed GPL-3.0-or-later: it
is loaded at run time if the user has installed it, and is neither part of kws_tf nor needed by anything but synthesis.
"""

import contextlib
import ctypes
import numbers
import os
import pathlib
import threading

import numpy as np
from absl import logging

from kws_tf.errors import AudioError, ConfigError, KwsError
from kws_tf.synthesis import voice as voice_table

# espeak-ng keeps everything in global variables and is not thread-safe: one caller at a time in the whole process.
_LOCK = threading.RLock()

# Constants of speak_lib.h.
_SYNCHRONOUS, _DO_NOT_EXIT, _BUFFER_MS = 2, 0x8000, 200
_UTF8, _PHONEME_INPUT = 0x1, 0x100
_POSITION_CHARACTER = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_ASCII_PHONEMES, _IPA_PHONEMES = 0x0, 0x2
_SEPARATOR = "\x1f"

_SAMPLES_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """espeak-ng as a pure function of its arguments.

    Each call loads the library anew, under one lock for the process, and unloads it afterwards (about 2 ms). Otherwise the
    random numbers, filters and pitch flutter of one utterance would go on into the next, and a clip would depend on all clips
    before it. So equal arguments give equal samples, bit for bit, in any order, thread or process, with one version of the
    library on one platform. Where another package keeps the same library loaded this cannot be had, and a warning says so once.

    Attributes:
        voices: languages and accents, tuple of Voice; those without a pronunciation dictionary are left out.
        variants: speakers that can be laid over any of them, tuple of Voice.
        sample_rate: Hz, 22050. version: of espeak-ng. data_path: folder of its data.

    Raises:
        KwsError: the extra `synth` is not installed, or its library cannot be loaded or initialised.

    Example:
        espeak = Espeak()
        pcm, sample_rate = espeak.synthesise("hello", voice="en-us", variant="f2", speed_wpm=150)
    """

    _warned_of_resident_library = False

    def __init__(self):
        self._library_path, self.data_path = _locate()
        with self._library() as (library, sample_rate):
            self.sample_rate = sample_rate
            self.version = library.espeak_Info(None).decode()
            self.voices = tuple(voice for voice in voice_table.languages(library) if voice.has_dictionary(self.data_path))
            self.variants = tuple(voice_table.variants(library))

    def synthesise(self, text, *, voice="en-us", variant="", speed_wpm=175, pitch=50, pitch_range=50, volume=50, seed=0):
        """Speaks a text.

        Args:
            text: what to say. Text within [[ ]] is taken as espeak-ng phoneme names: "[[h@l'oU]] there".
            voice: identifier, name or language code of a voice.
            variant: speaker, "" for the plain voice. Pitch and speed are relative to what the variant has of its own.
            speed_wpm: words per minute, 80 to 450.
            pitch, pitch_range: 0 to 99, 50 is normal; range 0 is monotone.
            volume: 1 to 200. At 100, the default of espeak-ng, a fifth of the variants clip; at 50 hardly any does.
            seed: of the breath noise; a variant without breath ignores it.

        Returns:
            (PCM int16 [samples], sample rate in Hz).

        Raises:
            ConfigError: an argument is out of range or names no voice.
            AudioError: the text has nothing that can be spoken.
        """
        _check_text(text)
        for name, value, low, high in (("speed_wpm", speed_wpm, 80, 450), ("pitch", pitch, 0, 99), ("pitch_range", pitch_range, 0, 99),
                                       ("volume", volume, 1, 200), ("seed", seed, 0, 2**31 - 1)):
            if not isinstance(value, numbers.Integral) or not low <= value <= high:
                raise ConfigError(f"espeak: {name} must be a whole number from {low} to {high}; received {value!r}.")
        chunks = []

        @_SAMPLES_CALLBACK
        def collect(samples, n_samples, _events):
            if samples and n_samples > 0:
                chunks.append(ctypes.string_at(samples, 2 * n_samples))
            return 0

        full_name = self._full_name(voice, variant)
        with self._library() as (library, sample_rate):
            library.espeak_SetSynthCallback(collect)
            self._set_voice(library, full_name)
            for parameter, value in ((_RATE, speed_wpm), (_VOLUME, volume), (_PITCH, pitch), (_RANGE, pitch_range)):
                _check(library.espeak_SetParameter(parameter, int(value), 0), f"espeak_SetParameter({parameter}, {value})")
            # Two generators are in use: espeak-ng's own, seeded by the clock when it starts, and the C library's.
            library.espeak_ng_SetRandSeed(int(seed))
            _seed_c_library(int(seed))
            encoded = text.encode("utf-8") + b"\0"
            _check(library.espeak_Synth(encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _UTF8 | _PHONEME_INPUT, None, None),
                   f"espeak_Synth({text!r})")
        pcm = np.frombuffer(b"".join(chunks), np.int16)
        if not np.any(pcm):
            raise AudioError(f"espeak: voice {full_name!r} has nothing to say for the text {text!r}; give words in its language.")
        return pcm, sample_rate

    def phonemes(self, text, *, voice="en-us", ipa=True):
        """How a voice pronounces a text, with stress marks.

        Args:
            text: plain text.
            voice: identifier, name or language code of a voice.
            ipa: phonemes of the International Phonetic Alphabet, otherwise espeak-ng's own names.

        Returns:
            One tuple of phonemes per word: "hey you" gives (("h", "ˈeɪ"), ("j", "uː")).

        Raises:
            ConfigError: no such voice, or no text.
        """
        return self.phonemes_of([text], voice=voice, ipa=ipa)[0]

    def phonemes_of(self, texts, *, voice="en-us", ipa=True):
        """`phonemes` of many texts at once: the library is loaded once, which makes it a hundred times faster for single words."""
        for text in texts:
            _check_text(text)
        mode = (_IPA_PHONEMES if ipa else _ASCII_PHONEMES) | ord(_SEPARATOR) << 8
        full_name = self._full_name(voice, "")
        with self._library() as (library, _):
            self._set_voice(library, full_name)
            return [_phonemes(library, text, mode) for text in texts]

    def _full_name(self, voice, variant):
        # The library itself would answer an unknown variant with the plain voice.
        name = voice_table.find(self.voices, voice).identifier
        return f"{name}+{voice_table.find(self.variants, variant, 'variant').identifier}" if variant else name

    @staticmethod
    def _set_voice(library, full_name):
        _check(library.espeak_SetVoiceByName(full_name.encode("utf-8")), f"espeak_SetVoiceByName({full_name!r})")

    @contextlib.contextmanager
    def _library(self):
        """A freshly loaded and initialised library, with its sample rate; unloaded at the end."""
        with _LOCK:
            library = _load(self._library_path)
            try:
                sample_rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, str(self.data_path).encode(), _DO_NOT_EXIT)
                if sample_rate <= 0:
                    raise KwsError(f"espeak: cannot initialise with the data in {self.data_path}; install it again: "
                                   "pip install --force-reinstall espeakng-loader.")
                try:
                    yield library, sample_rate
                finally:
                    library.espeak_Terminate()
            finally:
                if not _unload(library, self._library_path) and not Espeak._warned_of_resident_library:
                    Espeak._warned_of_resident_library = True
                    logging.warning("espeak: another part of this process keeps %s loaded, or this platform cannot unload it; "
                                    "clips will depend on the clips before them and cannot be made again bit for bit.",
                                    self._library_path)


def _phonemes(library, text, mode):
    buffer = ctypes.create_string_buffer(text.encode("utf-8"))
    position = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while position.value:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(position), _UTF8, mode).decode("utf-8"))
    # Split at spaces only: str.split() would take the separator for white space too. "(en)" marks a word of another language.
    words = (word.split(_SEPARATOR) for clause in clauses for word in clause.split(" "))
    kept = (tuple(phoneme for phoneme in word if phoneme and not phoneme.startswith("(")) for word in words)
    return tuple(word for word in kept if word)


def _locate():
    """Paths of the library and of its data folder, from espeakng-loader."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise KwsError("Speech synthesis needs espeak-ng, which is not installed: pip install 'kws_tf[synth]'.") from error
    library_path, data_path = pathlib.Path(espeakng_loader.get_library_path()), pathlib.Path(espeakng_loader.get_data_path())
    if not library_path.is_file():
        raise KwsError(f"espeak: espeakng-loader is installed, but has no library for this platform at {library_path}.")
    return library_path, data_path


def _load(path):
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KwsError(f"espeak: {path} cannot be loaded: {error}. Install it again: "
                       "pip install --force-reinstall espeakng-loader.") from error
    library.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    library.espeak_Info.argtypes, library.espeak_Info.restype = (ctypes.c_void_p,), ctypes.c_char_p
    library.espeak_SetSynthCallback.argtypes, library.espeak_SetSynthCallback.restype = (_SAMPLES_CALLBACK,), None
    library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
    library.espeak_SetParameter.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
    library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
    library.espeak_Synth.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
                                     ctypes.c_void_p, ctypes.c_void_p)
    library.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_ListVoices.argtypes = (ctypes.POINTER(voice_table.VoiceRecord),)
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(voice_table.VoiceRecord))
    return library


def _unload(library, path):
    """Unloads the library; true if it is gone from the process."""
    if os.name != "posix":
        return False
    dynamic_linker = ctypes.CDLL(None)
    dynamic_linker.dlclose.argtypes = (ctypes.c_void_p,)
    dynamic_linker.dlclose(library._handle)
    try:
        resident = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
    except OSError:
        return True
    dynamic_linker.dlclose(resident._handle)
    return False


def _seed_c_library(seed):
    if os.name == "posix":
        ctypes.CDLL(None).srand(seed)


def _check(status, call):
    if status != 0:
        raise KwsError(f"espeak: {call} failed with status {status}.")


def _check_text(text):
    if not text.strip() or "\0" in text:
        raise ConfigError(f"espeak: the text to speak must hold a word and no zero character; received {text!r}.")
