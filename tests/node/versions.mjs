// Prints what the packages are, which shows that they load.
import { EventSource } from "eventsource";
import OpenAI from "openai";

console.log(JSON.stringify({ node: process.versions.node, OpenAI: typeof OpenAI, EventSource: typeof EventSource }));
