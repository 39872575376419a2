"""Speech that makes itself: text to speech, noise, mixing, and data sets split by voice. Needs the extra `synth`."""
