// What goes wrong, and what to do about it. SPENT_TOKEN is a key whose budget is used up, if there is one.
import Replicate from "replicate";

const baseUrl = process.env.REPLICATE_BASE_URL;
const remedies = {
  401: "set REPLICATE_API_TOKEN",
  402: "raise the key's budget",
  404: "look the model's name up",
  422: "mend the input",
};

async function ask(replicate, model, input) {
  try {
    return (await replicate.run(model, { input })).join("");
  } catch (error) {
    const status = error.response?.status;
    if (!(status in remedies)) throw error;
    return `${status}: ${remedies[status]} (${error.message})`;
  }
}

const replicate = new Replicate({ baseUrl });
const question = { prompt: "Tell me a story about a cat." };

console.log(await ask(new Replicate({ baseUrl, auth: "r8_wrong" }), "hearth/campfire", question));
if (process.env.SPENT_TOKEN) {
  console.log(await ask(new Replicate({ baseUrl, auth: process.env.SPENT_TOKEN }), "hearth/campfire", question));
}
console.log(await ask(replicate, "hearth/no-such-model", question));
console.log(await ask(replicate, "hearth/campfire", { prompt: "Tell me a story.", temperature: "hot" }));
