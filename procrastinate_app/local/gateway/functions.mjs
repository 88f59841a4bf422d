// The functions that rpc may call, and which of them a request means.

import { postgrestError } from "./errors.mjs";

// Types must come out qualified, hence the empty search path while reading.
const FUNCTIONS = `
  select
    n.nspname as schema,
    p.proname as name,
    p.provolatile as volatility,
    p.proretset as returns_set,
    p.provariadic <> 0 as variadic,
    p.prorettype = 'pg_catalog.void'::regtype as returns_void,
    t.typtype = 'c' or t.typname = 'record'
      or coalesce(p.proargmodes && '{o,b,t}'::"char"[], false) as returns_row,
    coalesce(p.proargnames, '{}')::text[] as names,
    coalesce(p.proargmodes, '{}')::text[] as modes,
    p.pronargdefaults as defaults,
    (
      select coalesce(array_agg(format_type(a.type, null) order by a.place), '{}')
      from unnest(p.proargtypes) with ordinality as a (type, place)
    ) as types,
    (
      select substr(c.line, strpos(c.line, '=') + 1)
      from unnest(p.proconfig) as c (line)
      where c.line like 'statement_timeout=%'
    ) as statement_timeout
  from pg_catalog.pg_proc as p
  join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
  join pg_catalog.pg_type as t on t.oid = p.prorettype
  where n.nspname = any($1) and p.prokind = 'f' and p.prorettype <> 'pg_catalog.trigger'::regtype`;

const RAW_TYPES = {
  "application/json": ["json", "jsonb"],
  "text/plain": ["text"],
  "application/octet-stream": ["bytea"],
  "text/xml": ["xml"],
};

export class Functions {
  constructor(sql, schemas) {
    this.sql = sql;
    this.schemas = schemas;
    this.loaded = null;
  }

  reload() {
    this.loaded = null;
  }

  async named(schema, name) {
    this.loaded ??= this.#read().catch((error) => {
      this.loaded = null;
      throw error;
    });
    return (await this.loaded).get(`${schema}.${name}`) ?? [];
  }

  async #read() {
    const rows = await this.sql.begin("read only", async (tx) => {
      await tx.unsafe("set local search_path = ''");
      return tx.unsafe(FUNCTIONS, [this.schemas]);
    });
    const byName = new Map();
    for (const row of rows) {
      const key = `${row.schema}.${row.name}`;
      byName.set(key, [...(byName.get(key) ?? []), describe(row)]);
    }
    return byName;
  }
}

function describe(row) {
  const names = row.modes.length ? row.names.filter((_, i) => "ibv".includes(row.modes[i])) : row.names;
  const required = row.types.length - row.defaults;
  const args = row.types.map((type, i) => ({ name: names[i] ?? "", type, required: i < required }));
  return { ...row, args };
}

// The function that takes exactly these argument names, else the one that takes the body raw.
export function choose(candidates, { schema, name, given, contentType, method }) {
  const raw = method === "POST" ? (RAW_TYPES[contentType] ?? []) : [];
  if (given) {
    const fitting = candidates.filter((fn) => accepts(fn, given));
    if (fitting.length > 1) throw ambiguous(fitting);
    if (fitting.length === 1) return { fn: fitting[0], unnamed: false };
  }
  const fn = candidates.find(
    ({ args }) => args.length === 1 && !args[0].name && raw.includes(args[0].type),
  );
  if (fn) return { fn, unnamed: true };
  throw notFound(candidates, { schema, name, given: given ?? [], method });
}

function accepts({ args }, given) {
  return (
    args.every((arg) => arg.name && (!arg.required || given.includes(arg.name))) &&
    given.every((name) => args.some((arg) => arg.name === name))
  );
}

function ambiguous(fitting) {
  const shown = fitting.map(
    (fn) => `${fn.schema}.${fn.name}(${fn.args.map((a) => `${a.name} => ${a.type}`).join(", ")})`,
  );
  return postgrestError(
    300,
    "PGRST203",
    `Could not choose the best candidate function between: ${shown.join(", ")}`,
    { hint: "Try renaming the parameters or the function itself in the database so function overloading can be resolved" },
  );
}

function notFound(candidates, { schema, name, given, method }) {
  const full = `${schema}.${name}`;
  const wanted = given.length
    ? `with parameter${given.length > 1 ? "s" : ""} ${given.join(", ")}`
    : "without parameters";
  const raw = method === "POST" ? " or with a single unnamed json/jsonb parameter" : "";
  const other = candidates[0];
  return postgrestError(
    404,
    "PGRST202",
    `Could not find the function ${given.length ? `${full}(${given.join(", ")})` : `${full} without parameters`} in the schema cache`,
    {
      details: `Searched for the function ${full} ${wanted}${raw}, but no matches were found in the schema cache.`,
      hint: other
        ? `Perhaps you meant to call the function ${full}(${other.args.map((a) => a.name).join(", ")})`
        : null,
    },
  );
}
