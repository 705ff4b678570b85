// Drives a stdio MCP server with the TypeScript SDK v1: argv = request JSON, command, ...args. Prints one JSON object.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { drive } from "./drive.mjs";

await drive({ Client, StdioClientTransport });
