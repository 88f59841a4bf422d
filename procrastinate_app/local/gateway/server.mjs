// A stand-in for the Supabase API in front of plain Postgres. For development and tests only.
//
// Started by procrastinate_app/local/gateway_process.py: one line of JSON on stdin is the configuration
// (so that no secret stands in arguments or environment), one line of JSON on stdout says where it
// listens, and the end of stdin ends it, so that it never outlives its starter.

import { createInterface } from "node:readline";
import postgres from "postgres";
import { ApiError, fromDatabase, jsonResponse, postgrestError } from "./errors.mjs";
import { Functions } from "./functions.mjs";
import { serve } from "./http.mjs";
import { Keys } from "./keys.mjs";
import { signIn, tableApi } from "./lite.mjs";
import { Rpc } from "./rpc.mjs";
import { Session, callerOf } from "./session.mjs";
import { authMiddlewares } from "./tokens.mjs";
import { jsonTypes } from "./types.mjs";

const MAX_ROWS = 1000;
const EXTRA_SEARCH_PATH = ["public", "extensions"];

async function main() {
  const lines = createInterface({ input: process.stdin });
  const config = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
  lines.on("close", () => process.exit(0));
  process.on("SIGTERM", () => process.exit(0));

  const gateway = new Gateway(config);
  const url = await gateway.start(config.port ?? 0);
  console.log(JSON.stringify({ url }));
}

class Gateway {
  constructor(config) {
    this.schemas = config.schemas ?? ["public"];
    this.keys = new Keys(config);
    // Values are text on both sides here: Postgres reads arguments and builds answers itself.
    this.sql = postgres(config.api_url, { max: 10, onnotice() {}, types: jsonTypes });
    this.authSql = postgres(config.auth_url, { max: 2, onnotice() {} });
    this.session = new Session(this.sql, { extraSearchPath: EXTRA_SEARCH_PATH });
    this.functions = new Functions(this.sql, this.schemas);
    this.rpc = new Rpc({ ...this, maxRows: MAX_ROWS });
    this.tables = tableApi({
      apiUrl: config.api_url,
      readerUrl: config.reader_url,
      schemas: this.schemas,
      maxRows: MAX_ROWS,
      session: this.session,
    });
    this.auth = signIn({
      ...config,
      authUrl: config.auth_url,
      keys: this.keys,
      middlewares: authMiddlewares({ sql: this.authSql, keys: this.keys, issuer: () => this.url }),
    });
  }

  async start(port) {
    await Promise.all([this.tables.init(), this.auth.init()]);
    // As PostgREST: `notify pgrst, 'reload schema'` after a migration.
    await this.sql.listen("pgrst", () => this.reload(), () => this.reload());
    const { url } = await serve({ port, handle: (request, body) => this.handle(request, body) });
    this.url = url;
    return url;
  }

  reload() {
    this.session.reload();
    this.functions.reload();
    this.tables.reload();
  }

  async handle(request, body) {
    const url = new URL(request.url);
    if (request.method === "OPTIONS") return preflight(request);
    try {
      if (url.pathname === "/health") return await this.health();
      if (url.pathname.startsWith("/auth/v1/")) return await this.auth.answer(request);
      if (url.pathname.startsWith("/rest/v1/")) return await this.rest(request, url, body);
      throw new ApiError(404, {
        message: `The local gateway has no ${url.pathname}: it serves /auth/v1 and /rest/v1`,
      });
    } catch (error) {
      if (error instanceof ApiError) return error.response();
      throw error;
    }
  }

  async rest(request, url, body) {
    const identity = await this.keys.identify(request, url);
    const schema = this.schemaOf(request);
    const caller = callerOf(request, url, identity, schema);
    if (url.pathname.startsWith("/rest/v1/rpc/") && ["GET", "HEAD", "POST"].includes(request.method)) {
      const answer = await this.rpc.answer(request, url, body, caller);
      if (answer) return answer;
    }
    url.searchParams.delete("apikey");
    return this.tables.answer(new Request(url, request), caller);
  }

  schemaOf(request) {
    const reads = request.method === "GET" || request.method === "HEAD";
    const schema = request.headers.get(reads ? "accept-profile" : "content-profile") ?? this.schemas[0];
    if (this.schemas.includes(schema)) return schema;
    throw postgrestError(406, "PGRST106", `Invalid schema: ${schema}`, {
      hint: `Only the following schemas are exposed: ${this.schemas.join(", ")}`,
    });
  }

  async health() {
    try {
      await this.sql.unsafe("select 1");
    } catch (error) {
      throw fromDatabase(error, "anon");
    }
    return jsonResponse(200, { status: "ok" });
  }
}

function preflight(request) {
  return new Response(null, {
    status: 204,
    headers: {
      Allow: "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS",
      "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS",
      "Access-Control-Allow-Headers": request.headers.get("access-control-request-headers") ?? "*",
      "Access-Control-Max-Age": "86400",
    },
  });
}

await main();
