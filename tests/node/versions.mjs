// Prints what the packages are, which shows that they load.
import { EventSource } from "eventsource";
import OpenAI from "openai";
import Replicate from "replicate";

const { node } = process.versions;
console.log(
  JSON.stringify({ node, OpenAI: typeof OpenAI, Replicate: typeof Replicate, EventSource: typeof EventSource }),
);
