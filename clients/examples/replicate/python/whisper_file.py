"""Transcribe a file of this machine: `python whisper_file.py speech.wav`. The client uploads it first."""

import sys

import replicate

with open(sys.argv[1], "rb") as audio:
    output = replicate.run("openai/whisper", input={"audio": audio})
print(output["transcription"])
