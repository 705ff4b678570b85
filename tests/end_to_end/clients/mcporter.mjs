// What mcporter's command line is made of: argv = requests, command, ...args of a stdio server. See drive.mjs.
// mcporter has no words for prompts; they go over the connection that it opened.
import { createRuntime } from "mcporter";

const [requests, command, ...args] = process.argv.slice(2);
const server = { kind: "stdio", command, args, cwd: process.cwd() };
const runtime = await createRuntime({ servers: [{ name: "it", command: server, env: { ...process.env } }] });
const prompts = async () => (await runtime.connect("it")).client;
const SEND = {
  "tools/list": async () => ({ tools: await runtime.listTools("it", { includeSchema: true }) }),
  "tools/call": (params) => runtime.callTool("it", params.name, { args: params.arguments }),
  "resources/list": () => runtime.listResources("it"),
  "resources/read": (params) => runtime.readResource("it", params.uri),
  "prompts/list": async () => (await prompts()).listPrompts(),
  "prompts/get": async (params) => (await prompts()).getPrompt(params),
};
const results = [];
for (const { method, params } of JSON.parse(requests)) results.push(await SEND[method](params));
console.log(JSON.stringify(results));
await runtime.close();
