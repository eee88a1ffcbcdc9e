"""Draw an image and keep it: astronaut.png."""

from pathlib import Path

import replicate

[image] = replicate.run(
    "stability-ai/sdxl",
    input={"prompt": "an astronaut riding a rainbow unicorn", "width": 1024, "height": 1024},
)
Path("astronaut.png").write_bytes(image.read())
print("astronaut.png")
