"""Print an answer while it is being written."""

import replicate

for event in replicate.stream("hearth/campfire", input={"prompt": "Tell me a story about an owl."}):
    print(event, end="", flush=True)
print()
