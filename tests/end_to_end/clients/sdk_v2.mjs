// The TypeScript SDK v2: argv = requests, command, ...args of a stdio server. See drive.mjs.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { drive } from "./drive.mjs";

await drive(Client, StdioClientTransport);
