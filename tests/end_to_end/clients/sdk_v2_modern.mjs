// The TypeScript SDK v2, in 2026-07-28 alone: argv = requests, command, ...args of a stdio server. See drive.mjs.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { drive } from "./drive.mjs";

await drive(Client, StdioClientTransport, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
