// POST, GET and HEAD on /rest/v1/rpc/<function>, executed as PostgREST does: arguments are read and
// the answer is built by Postgres itself, in one transaction with the caller's role.

import { fromDatabase, jsonResponse, postgrestError } from "./errors.mjs";
import { choose } from "./functions.mjs";

const RESPONSE_SETTINGS = `
  select
    nullif(current_setting('response.status', true), '') as status,
    nullif(current_setting('response.headers', true), '') as headers`;

const ONE_OBJECT = "application/vnd.pgrst.object";

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

export class Rpc {
  constructor({ sql, session, functions, maxRows }) {
    this.sql = sql;
    this.session = session;
    this.functions = functions;
    this.maxRows = maxRows;
  }

  // Answer the request, or return null when it filters or shapes the function's rows: that query
  // language is the table API's.
  async answer(request, url, body, caller) {
    const name = decodeURIComponent(url.pathname.slice("/rest/v1/rpc/".length));
    const candidates = await this.functions.named(caller.schema, name);
    const call = readCall(request, url, body, candidates, { schema: caller.schema, name });
    if (call === null) return null;
    const wantsOne = (request.headers.get("accept") ?? "").includes(ONE_OBJECT);
    try {
      return await this.#run(call, caller, { method: request.method, wantsOne });
    } catch (error) {
      throw fromDatabase(error, caller.identity.role);
    }
  }

  async #run({ fn, text, values }, caller, { method, wantsOne }) {
    const readOnly = method !== "POST" || fn.volatility !== "v";
    const timeout = fn.statement_timeout ? { statement_timeout: fn.statement_timeout } : {};
    const opening = await this.session.opening(caller, timeout);
    const limited = fn.returns_set ? `${text} limit ${this.maxRows}` : text;
    return this.sql.begin(readOnly ? "read only" : "read write", async (tx) => {
      const steps = [
        tx.unsafe(opening.text, opening.values, { prepare: true }),
        ...(opening.preRequest ? [tx.unsafe(`select ${opening.preRequest}()`)] : []),
        tx.unsafe(limited, values, { prepare: true }),
        tx.unsafe(RESPONSE_SETTINGS, [], { prepare: true }),
      ];
      const results = await Promise.all(steps);
      const [rows, [settings]] = results.slice(-2);
      if (wantsOne && rows.length !== 1) throw notOne(rows.length);
      return shape(fn, rows, settings, { wantsOne });
    });
  }
}

// Which function is meant and the statement that calls it.
function readCall(request, url, body, candidates, target) {
  const { method } = request;
  const contentType = (request.headers.get("content-type") ?? "application/json").split(";")[0].trim();
  const query = [...url.searchParams].filter(([key]) => key !== "apikey");
  if (method === "POST") {
    if (query.length) return null;
    const given = contentType === "application/json" ? namesIn(body) : null;
    const { fn, unnamed } = choose(candidates, { ...target, given, contentType, method });
    return unnamed ? callRaw(fn, body, contentType) : callNamed(fn, given, body.toString() || "{}");
  }
  const given = [...new Set(query.map(([key]) => key))];
  const takesAll = candidates.some(({ args }) => given.every((key) => args.some((a) => a.name === key)));
  if (candidates.length && !takesAll) return null;
  const { fn } = choose(candidates, { ...target, given, contentType, method });
  return callFromQuery(fn, given, url.searchParams);
}

// The argument names in a JSON body; null when the body is no object.
function namesIn(body) {
  if (!body.length) return [];
  let parsed;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    throw postgrestError(400, "PGRST102", "Empty or invalid json");
  }
  return parsed !== null && typeof parsed === "object" && !Array.isArray(parsed) ? Object.keys(parsed) : null;
}

function callRaw(fn, body, contentType) {
  const value = contentType === "application/octet-stream" ? body : body.toString();
  return { fn, values: [value], text: select(fn, `${full(fn)}($1::${fn.args[0].type})`) };
}

// The body goes to Postgres as it came: no digit of a number is lost on the way.
function callNamed(fn, given, body) {
  if (!given.length) return { fn, values: [], text: select(fn, `${full(fn)}()`) };
  const args = fn.args.filter((arg) => given.includes(arg.name));
  const columns = args.map((arg) => `${quoted(arg.name)} ${arg.type}`).join(", ");
  const passed = args.map((arg) => `${named(fn, arg)} := pgrst_body.${quoted(arg.name)}`).join(", ");
  const source = `json_to_record($1::json) as pgrst_body (${columns}), lateral ${full(fn)}(${passed})`;
  return { fn, values: [body], text: select(fn, source) };
}

function callFromQuery(fn, given, params) {
  const args = fn.args.filter((arg) => given.includes(arg.name));
  const values = args.map((arg) => {
    const all = params.getAll(arg.name);
    return isVariadic(fn, arg) ? `{${all.map((v) => JSON.stringify(v)).join(",")}}` : all.at(-1);
  });
  const passed = args.map((arg, i) => `${named(fn, arg)} := $${i + 1}::text::${arg.type}`).join(", ");
  return { fn, values, text: select(fn, `${full(fn)}(${passed})`) };
}

const full = (fn) => `${quoted(fn.schema)}.${quoted(fn.name)}`;
const isVariadic = (fn, arg) => fn.variadic && arg === fn.args.at(-1);
const named = (fn, arg) => (isVariadic(fn, arg) ? "variadic " : "") + quoted(arg.name);

// A row is taken as a whole from a subquery: of a function with a single output column, Postgres
// would take the column instead.
function select(fn, source) {
  if (fn.returns_void) return `select null as answer from ${source} as pgrst_call`;
  if (!fn.returns_row) return `select to_json(pgrst_call)::text as answer from ${source} as pgrst_call`;
  const rows = `select pgrst_call.* from ${source} as pgrst_call`;
  return `select row_to_json(pgrst_row)::text as answer from (${rows}) as pgrst_row`;
}

function shape(fn, rows, settings, { wantsOne }) {
  const status = settings.status === null ? undefined : readStatus(settings.status);
  const headers = settings.headers === null ? {} : readHeaders(settings.headers);
  if (fn.returns_void) return new Response(null, { status: status ?? 204, headers });
  const last = rows.length - 1;
  headers["Content-Range"] ??= rows.length ? `0-${last}/*` : "*/*";
  const answers = rows.map((row) => row.answer ?? "null");
  const body = fn.returns_set && !wantsOne ? `[${answers.join(",")}]` : (answers[0] ?? "null");
  return jsonResponse(status ?? 200, body, headers);
}

function readStatus(text) {
  const status = Number(text);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw postgrestError(500, "PGRST112", "response.status guc must be a valid status code");
}

function readHeaders(text) {
  try {
    return Object.assign({}, ...JSON.parse(text));
  } catch {
    throw postgrestError(
      500,
      "PGRST111",
      "response.headers guc must be a JSON array composed of objects with a single key and a string value",
    );
  }
}

function notOne(rows) {
  return postgrestError(406, "PGRST116", "Cannot coerce the result to a single JSON object", {
    details: `The result contains ${rows} rows`,
  });
}
