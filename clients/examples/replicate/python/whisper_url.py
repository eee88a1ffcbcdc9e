"""Transcribe what is at an address: `python whisper_url.py https://example.com/speech.wav`."""

import sys

import replicate

output = replicate.run("openai/whisper", input={"audio": sys.argv[1]})
print(output["transcription"])
