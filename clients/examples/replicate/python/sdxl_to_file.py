"""Draw an image and keep it: astronaut.png."""

from pathlib import Path

import replicate

images = replicate.run(
    "stability-ai/sdxl",
    input={"prompt": "an astronaut riding a rainbow unicorn", "width": 1024, "height": 1024, "seed": 7},
)
for image in images:
    Path("astronaut.png").write_bytes(image.read())
print("astronaut.png")
