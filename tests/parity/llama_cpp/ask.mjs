// Prints, for each prompt, its tokens and the greedy answer's, and what the chat template makes of a conversation.
import {readFileSync} from "node:fs";
import {LlamaLogLevel, getLlama} from "node-llama-cpp";

const [modelPath, asked] = process.argv.slice(2);
const {prompts, newTokens, endToken} = JSON.parse(readFileSync(asked, "utf8"));
const llama = await getLlama({gpu: false, build: "never", progressLogs: false, logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({
    threads: 1,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32"
});
const sequence = context.getSequence();
const answers = [];
for (const prompt of prompts) {
    await sequence.clearHistory();
    const tokens = model.tokenize(prompt), answer = [];
    for await (const token of sequence.evaluate(tokens, {temperature: 0})) {
        if (token === endToken || answer.push(token) === newTokens) break;
    }
    answers.push({tokens, answer});
}
const template = model.fileInfo.metadata.tokenizer.chat_template;
console.log(JSON.stringify({answers, template}));
process.exit();
