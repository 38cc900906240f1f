// Logs in at a gateway the way the TypeScript SDK does, as often as it is told to, and calls one tool; once more with a token that is no
// longer good.
//
// Usage: login.mjs PACKAGE URL REDIRECT [CLIENT-METADATA-URL]
//
// PACKAGE is the folder of `@modelcontextprotocol/sdk` or of `@modelcontextprotocol/client`. Prints one JSON object.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, url, redirect, clientMetadataUrl] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  name === "@modelcontextprotocol/sdk"
    ? {
        ...require(`${name}/client/index.js`),
        ...require(`${name}/client/streamableHttp.js`),
        ...require(`${name}/client/auth.js`),
      }
    : require(name);

const kept = {};
let asked;
const provider = {
  redirectUrl: redirect,
  clientMetadataUrl,
  clientMetadata: {
    client_name: "interop",
    redirect_uris: [redirect],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  state: () => "a state",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (to) => void (asked = to),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  saveDiscoveryState: (found) => void (kept.found = found),
  discoveryState: () => kept.found,
};

// The browser: it goes where it is sent until it comes back to the client.
async function browse(to) {
  for (let hops = 0; hops < 4; hops++) {
    const answer = await fetch(to, { redirect: "manual" });
    const next = answer.headers.get("location");
    if (!next) throw new Error(`${to} answered with ${answer.status}: ${await answer.text()}`);
    if (next.startsWith(redirect)) return new URL(next).searchParams;
    to = new URL(next, to);
  }
  throw new Error("sent on and on");
}

const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const client = () => new Client({ name: "interop", version: "1" });

let logins = 0;
async function connected() {
  for (;;) {
    const [one, way] = [client(), transport()];
    try {
      await one.connect(way);
      return one;
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || ++logins > 3) throw error;
    }
    const back = await browse(asked);
    if (name === "@modelcontextprotocol/sdk") await way.finishAuth(back.get("code"));
    else await way.finishAuth(back);
  }
}

async function call() {
  const one = await connected();
  const { tools } = await one.listTools();
  const echo = tools.find((tool) => tool.name.endsWith("echo"));
  const result = await one.callTool({ name: echo.name, arguments: { text: "hi" } });
  await one.close();
  return result.isError ?? false;
}

const failed = await call();
kept.tokens = { ...kept.tokens, access_token: "no.longer.good" };
const again = await call();
console.log(JSON.stringify({ client: kept.client?.client_id, asked: asked.href, logins, failed: failed || again }));
