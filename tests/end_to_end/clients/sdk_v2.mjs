// Drives a stdio MCP server with the TypeScript SDK v2: argv = request JSON, command, ...args. Prints one JSON object.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { drive } from "./drive.mjs";

await drive({ Client, StdioClientTransport });
