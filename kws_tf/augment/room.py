"""Room: lets voice and noise sound as they do in a room."""

import numpy as np
from keras import ops

from kws_tf.augment.random_draw import uniform_index
from kws_tf.errors import ConfigError


class Room:
    """Convolves a clip with the impulse response from a voice to the microphone, and its noise with that from a noise source.

    The two responses of a room belong together and keep their ratio of levels: of a noise source further away than the voice, less
    arrives. So the signal-to-noise ratio of BackgroundNoise is that of the sources, and the room makes of it what it does in life.
    Computed by FFT for the whole batch; what would ring on after the clip's end is cut.

    Args:
        prob: share of clips that are in a room; a number, or a scalar tensor or variable that may change between steps.
        responses: float [rooms, 2, samples], voice and noise; direct sound first, energy of the voice's response 1.
        clip_samples: length of the clips.

    Raises:
        ConfigError: responses of another form.

    Example:
        room = Room(0.5, responses, 16000)
        draws = room.draw(coin, keras.random.SeedGenerator(1))
        pcm = room.apply(pcm, noise, draws)          # [batch, 16000]
    """

    def __init__(self, prob, responses, clip_samples):
        responses = np.asarray(responses, np.float32)
        if responses.ndim != 3 or responses.shape[1] != 2 or not responses.size:
            raise ConfigError(f"Room: expected impulse responses [rooms, 2, samples]; received {responses.shape}. Check --rir_dir.")
        self.prob, self.clip_samples, self.n_rooms = prob, clip_samples, len(responses)
        # Whole responses are longer than what a clip can hold of them.
        responses = responses[..., :clip_samples]
        self.fft_size = fft_size(clip_samples + responses.shape[-1] - 1)
        spectra = np.fft.rfft(responses, self.fft_size)
        self.spectra = ops.convert_to_tensor(np.stack([spectra.real, spectra.imag], axis=1).astype(np.float32))

    def draw(self, coin, seed_generator):
        """{"room": int32 [batch]}, -1 for clips whose coin, float32 [batch] in [0, 1), is not below prob."""
        room = uniform_index(ops.shape(coin), seed_generator, self.n_rooms)
        return {"room": ops.where(coin < self.prob, room, -1)}

    def apply(self, voice, noise, draws):
        """Voice and noise at the microphone, added up.

        Args:
            voice, noise: float32 [batch, samples]; noise None for none.
            draws: as draw returns them.

        Returns:
            float32 [batch, samples], not limited to [-1, 1).
        """
        room = draws["room"]
        # [batch, real and imaginary, voice and noise, bins]
        spectra = ops.take(self.spectra, ops.maximum(room, 0), axis=0)
        sources = [voice] if noise is None else [voice, noise]
        parts = [ops.rfft(source, fft_length=self.fft_size) for source in sources]
        real = sum(part[0] * spectra[:, 0, index] - part[1] * spectra[:, 1, index] for index, part in enumerate(parts))
        imaginary = sum(part[0] * spectra[:, 1, index] + part[1] * spectra[:, 0, index] for index, part in enumerate(parts))
        wet = ops.irfft((real, imaginary), fft_length=self.fft_size)[:, :voice.shape[1]]
        return ops.where((room >= 0)[:, None], wet, sum(sources))


def fft_size(n_samples):
    """The smallest length of at least n_samples that has only the prime factors 2, 3 and 5; FFTs of these are fast."""
    sizes = (2**i * 3**j * 5**k for i in range(25) for j in range(4) for k in range(4))
    return min(size for size in sizes if size >= n_samples)
