// Print an answer while it is being written.
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const input = { prompt: "Tell me a story about an owl." };
for await (const event of replicate.stream("hearth/campfire", { input })) {
  if (event.event === "output") process.stdout.write(event.data);
}
console.log();
