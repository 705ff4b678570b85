// Lists the tools, then makes the calls asked for, one after the other.
export async function drive({ Client, StdioClientTransport }) {
  const [calls, command, ...args] = process.argv.slice(2);
  const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" });
  const client = new Client({ name: "acceptance", version: "1.0.0" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const results = [];
  for (const call of JSON.parse(calls)) results.push(await client.callTool(call));
  console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), instructions: client.getInstructions(), results }));
  await client.close();
}
