// Makes the requests of a JSON list, one after the other, and prints the JSON list of their results.
const SEND = {
  "tools/list": (client, params) => client.listTools(params),
  "tools/call": (client, params) => client.callTool(params),
  "resources/list": (client, params) => client.listResources(params),
  "resources/read": (client, params) => client.readResource(params),
  "prompts/list": (client, params) => client.listPrompts(params),
  "prompts/get": (client, params) => client.getPrompt(params),
};

export async function drive(Client, StdioClientTransport, options = {}) {
  const [requests, command, ...args] = process.argv.slice(2);
  const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" });
  const client = new Client({ name: "acceptance", version: "1.0.0" }, options);
  await client.connect(transport);
  const results = [];
  for (const { method, params } of JSON.parse(requests)) results.push(await SEND[method](client, params));
  console.log(JSON.stringify(results));
  await client.close();
}
