// What PostgREST sets in the transaction of every request: role, claims, search path, the request
// itself, and the role's own settings (such as statement_timeout).

// Settings of roles and functions that a request applies as if it had logged in as that role.
const ROLE_SETTINGS = `
  with roles as (
    select oid, rolname from pg_catalog.pg_roles
    where rolname in ('anon', 'authenticated', 'service_role')
  ),
  settings as (
    select r.rolname, split_part(c.line, '=', 1) as name,
      substr(c.line, strpos(c.line, '=') + 1) as value,
      s.setdatabase <> 0 as specific
    from roles as r
    join pg_catalog.pg_db_role_setting as s on s.setrole = r.oid
    cross join lateral unnest(s.setconfig) as c (line)
    where s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
  )
  select t.rolname as role, t.name, t.value
  from settings as t
  left join pg_catalog.pg_settings as known on known.name = t.name
  where coalesce(known.context, 'user') = 'user'
  order by t.specific`;

const PRE_REQUEST = `select nullif(current_setting('pgrst.db_pre_request', true), '') as name`;

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

export class Session {
  constructor(sql, { extraSearchPath }) {
    this.sql = sql;
    this.extraSearchPath = extraSearchPath;
    this.loaded = null;
  }

  reload() {
    this.loaded = null;
  }

  load() {
    this.loaded ??= this.#read().catch((error) => {
      this.loaded = null;
      throw error;
    });
    return this.loaded;
  }

  async #read() {
    const rows = await this.sql.unsafe(ROLE_SETTINGS);
    const [{ name: preRequest }] = await this.sql.unsafe(PRE_REQUEST);
    const byRole = new Map();
    for (const { role, name, value } of rows) {
      if (!byRole.has(role)) byRole.set(role, new Map());
      byRole.get(role).set(name, value);
    }
    return { byRole, preRequest };
  }

  // One statement that prepares the transaction for this caller and request, and the name of the
  // function to call before the request's own statement, if the project has one.
  async opening(caller, settings = {}) {
    const { byRole, preRequest } = await this.load();
    const { role, claims } = caller.identity;
    const values = {
      search_path: [caller.schema, ...this.extraSearchPath].map(quoted).join(", "),
      role,
      "request.jwt.claims": JSON.stringify(claims),
      "request.method": caller.method,
      "request.path": caller.path,
      "request.headers": JSON.stringify(caller.headers),
      "request.cookies": JSON.stringify(caller.cookies),
      ...Object.fromEntries(byRole.get(role) ?? []),
      ...settings,
    };
    const calls = Object.keys(values).map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, true)`);
    return { text: `select ${calls.join(", ")}`, values: Object.entries(values).flat(), preRequest };
  }
}

// The parts of a request that SQL may look at.
export function callerOf(request, url, identity, schema) {
  const headers = Object.fromEntries(request.headers);
  const cookies = Object.fromEntries(
    (headers.cookie ?? "")
      .split(/;\s*/)
      .filter(Boolean)
      .map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]),
  );
  delete headers.cookie;
  const path = url.pathname.slice("/rest/v1".length) || "/";
  return { identity, schema, method: request.method, path, headers, cookies };
}
