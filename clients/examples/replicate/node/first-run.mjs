// Run a model and print its answer.
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const output = await replicate.run("hearth/campfire", { input: { prompt: "Tell me a story about a fox." } });
console.log(output.join(""));
