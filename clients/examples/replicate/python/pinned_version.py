"""Ask the very same model next year: a version never changes, whatever the model's name stands for by then."""

import replicate

model = replicate.models.get("hearth/campfire")
for version in model.versions.list():
    print(version.id, version.created_at)

pinned = f"hearth/campfire:{model.latest_version.id}"
print("".join(replicate.run(pinned, input={"prompt": "Tell me a story about a hen."})))
