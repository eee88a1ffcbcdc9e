// Ask the very same model next year: a version never changes, whatever the model's name stands for by then.
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const { results } = await replicate.models.versions.list("hearth", "campfire");
for (const version of results) console.log(version.id, version.created_at);

const pinned = `hearth/campfire:${results[0].id}`;
const output = await replicate.run(pinned, { input: { prompt: "Tell me a story about a hen." } });
console.log(output.join(""));
