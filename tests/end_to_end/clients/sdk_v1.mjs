// The TypeScript SDK v1: argv = requests, command, ...args of a stdio server. See drive.mjs.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { drive } from "./drive.mjs";

await drive(Client, StdioClientTransport);
