// @supabase/lite, pinned, for what we do not do ourselves: the table API and sign-in.
//
// Two apps, two logins: tables as `authenticator`, which owns nothing and reads nothing by itself;
// sign-in as `supabase_auth_admin`, which owns schema auth and nothing else.

import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { isSqlState, statusOf } from "./errors.mjs";
import { apiTypes } from "./types.mjs";

const quiet = { max: 10, onnotice() {}, types: apiTypes };
const current = new AsyncLocalStorage();

export function tableApi({ apiUrl, readerUrl, schemas, maxRows, session }) {
  const connection = createPostgresConnection({ url: apiUrl, postgresOptions: quiet });
  const reader = createPostgresConnection({ url: readerUrl, postgresOptions: { ...quiet, max: 1 } });
  // "active" skips the step that would grant everything to anon.
  connection.rlsState = "active";
  // The information schema shows a login only what it may use itself, so the schema is read as
  // Supabase's read-only user. No request runs on that login.
  connection.introspect = (options) => reader.introspect(options);
  connection.clearSchemaCache = () => reader.clearSchemaCache();
  connection.applyJwtSessionContext = async (trx) => {
    const opening = await session.opening(current.getStore());
    await run(trx, opening.text, opening.values);
    if (opening.preRequest) await run(trx, `select ${opening.preRequest}()`, []);
  };
  passErrorsThrough(connection);
  const app = new App({
    connection,
    api: { enabled: true, schemas, max_rows: maxRows },
    db: { migrations: { enabled: false } },
    auth: { enabled: false },
    studio: { enabled: false },
    options: { server: { admin: false, disableStudio: true, apiKeys: false } },
  });
  return {
    init: () => app.init(),
    answer: (request, caller) => current.run(caller, () => app.fetch(withoutKeys(request), {})),
    reload: () => reader.clearSchemaCache(),
    close: () => Promise.all([connection.close(), reader.close()]),
  };
}

export function signIn({ authUrl, jwt_secret, publishable_key, secret_key, keys, middlewares }) {
  const connection = createPostgresConnection({ url: authUrl, postgresOptions: quiet });
  connection.rlsState = "active";
  const app = new App({
    connection,
    api: { enabled: false, schemas: [] },
    db: { migrations: { enabled: false } },
    auth: {
      enabled: true,
      jwt_secret,
      publishable_key,
      secret_key,
      email: { enable_confirmations: false },
    },
    studio: { enabled: false },
    options: {
      server: {
        admin: false,
        disableStudio: true,
        middlewares,
        apiKeys: {
          resolver: async (key) => {
            const claims = await keys.claimsOfKey(key);
            return claims && { type: claims.role === "service_role" ? "secret" : "publishable", claims };
          },
        },
      },
    },
  });
  return {
    init: () => app.init(),
    answer: (request) => app.fetch(request, {}),
    close: () => connection.close(),
  };
}

// lite turns most SQLSTATEs into status 500 without a code. It does honour `raise sqlstate 'PGRST'`,
// so each error is handed over in that form.
function passErrorsThrough(connection) {
  const normalize = connection.normalizeDbError.bind(connection);
  connection.normalizeDbError = (thrown) => {
    const error = normalize(thrown);
    if (!isSqlState(error?.code) || error.code === "PGRST") return error;
    const { code, message, detail = null, hint = null } = error;
    return Object.assign(new Error(), {
      code: "PGRST",
      message: JSON.stringify({ code, message, details: detail, hint }),
      detail: JSON.stringify({
        status: statusOf(code, current.getStore()?.identity.role ?? "anon"),
        headers: {},
      }),
      // lite logs each error; one line is enough.
      [inspect.custom]: () => `${code} ${message}`,
    });
  };
}

// We have checked key and token; lite must not judge them again by its own rules.
function withoutKeys(request) {
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  return new Request(request, { headers });
}

// Run plain text with parameters inside the transaction lite has open (a Kysely executor).
function run(trx, text, values) {
  return trx.executeQuery({ sql: text, parameters: values, query: { kind: "RawNode" }, queryId: {} });
}
