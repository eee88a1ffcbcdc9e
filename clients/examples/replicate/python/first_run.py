"""Run a model and print its answer."""

import replicate

output = replicate.run("hearth/campfire", input={"prompt": "Tell me a story about a fox."})
print("".join(output))
