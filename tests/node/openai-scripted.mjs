// The official Node SDK where the script of the engine decides. Argument: base URL. Prints what it was told.
import OpenAI from "openai";

const [baseURL] = process.argv.slice(2);
const sdk = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const messages = [{ role: "user", content: "hello" }];
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object" } } }];

const plain = await sdk.chat.completions.create({ model: "tool", messages, tools });
const helped = await sdk.chat.completions.stream({ model: "tool", messages, tools }).finalChatCompletion();

let said = "";
let failed;
try {
  const stream = await sdk.chat.completions.create({ model: "crash", messages, stream: true });
  for await (const chunk of stream) said += chunk.choices[0].delta.content ?? "";
} catch (error) {
  failed = { api: error instanceof OpenAI.APIError, code: error.code, type: error.type };
}

const endless = await sdk.chat.completions.create({ model: "endless", messages, stream: true });
let heard = 0;
for await (const chunk of endless) {
  if (chunk.choices[0].delta.content && ++heard === 3) break;
}

console.log(
  JSON.stringify({
    plain: plain.choices[0].message.tool_calls,
    helped: helped.choices[0].message.tool_calls,
    finish: helped.choices[0].finish_reason,
    said,
    failed,
    heard,
  }),
);
