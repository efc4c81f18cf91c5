// Asks the server with OpenAI's own package and prints what it got as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const found = {};

found.models = (await client.models.list()).data.map((model) => model.id);

const chat = await client.chat.completions.create({ model: "tiny", messages, logprobs: true, top_logprobs: 2 });
found.chat = chat.choices[0].message.content;
found.fingerprint = chat.system_fingerprint;
found.tokens = chat.choices[0].logprobs.content.map((token) => token.token);

const options = { model: "tiny", messages, stream: true, stream_options: { include_usage: true } };
found.deltas = [];
for await (const chunk of await client.chat.completions.create(options)) {
  if (chunk.choices.length) found.deltas.push(chunk.choices[0].delta.content ?? null);
  else found.usage = chunk.usage;
}

const completion = await client.completions.create({ model: "tiny", prompt: "Paris", n: 2, stop: " na", seed: 1 });
found.completions = completion.choices.map((choice) => [choice.text, choice.finish_reason]);

try {
  await client.chat.completions.create({ model: "tiny", messages, temperature: 9 });
} catch (error) {
  found.error = [error.constructor.name, error.status, error.param, error.type];
}
try {
  await client.chat.completions.create({ model: "other", messages });
} catch (error) {
  found.missing = [error.constructor.name, error.status, error.code];
}

console.log(JSON.stringify(found));
