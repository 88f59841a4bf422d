// Sign-in details that hosted has and lite lacks: claims in the access token, anonymous users.

import { randomUUID } from "node:crypto";
import { SignJWT, decodeJwt } from "jose";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HOOK = "identity.custom_access_token(jsonb)";
const REQUIRED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "role", "aal", "email", "phone", "is_anonymous"];

// Middlewares for lite's auth app.
export function authMiddlewares({ sql, keys, issuer }) {
  const isAnonymous = async (id) => {
    const rows = await sql.unsafe("select is_anonymous from auth.users where id = $1", [id]);
    return rows[0]?.is_anonymous ?? false;
  };

  // A sign-up without any credential is an anonymous sign-in.
  async function anonymousSignUp(c, next) {
    if (c.req.method !== "POST" || c.req.path !== "/auth/v1/signup") return next();
    const body = await c.req.raw.clone().json().catch(() => null);
    if (!body || body.email || body.phone || body.password) return next();
    const { authService } = c.var;
    const user = await authService.repo.createUser({
      id: randomUUID(),
      email: null,
      is_anonymous: true,
      raw_app_meta_data: {},
      raw_user_meta_data: body.data ?? {},
    });
    return c.json(await authService.createSessionForUser(user, []), 200);
  }

  // Answers that carry a user or a session get the claims and fields of hosted.
  async function fullClaims(c, next) {
    await next();
    if (!c.req.path.startsWith("/auth/v1/") || !c.res.ok) return;
    if (!(c.res.headers.get("content-type") ?? "").includes("json")) return;
    const answer = await c.res.clone().json().catch(() => null);
    const user = answer?.user ?? answer;
    if (typeof user?.app_metadata !== "object") return;
    user.is_anonymous = await isAnonymous(user.id);
    if (answer.access_token) answer.access_token = await sign(answer.access_token, user);
    const headers = new Headers(c.res.headers);
    headers.delete("content-length");
    c.res = new Response(JSON.stringify(answer), { status: c.res.status, headers });
  }

  async function sign(token, user) {
    const claims = decodeJwt(token);
    const method = user.is_anonymous ? "anonymous" : "password";
    const full = {
      iss: `${issuer()}/auth/v1`,
      ...claims,
      email: user.email ?? "",
      phone: user.phone ?? "",
      app_metadata: user.app_metadata,
      user_metadata: user.user_metadata,
      aal: "aal1",
      amr: [{ method, timestamp: claims.iat }],
      is_anonymous: user.is_anonymous,
    };
    return new SignJWT(await throughHook(full, method))
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .sign(keys.signingKey);
  }

  // The project's custom access token hook, called as Supabase Auth calls it where it is switched on.
  async function throughHook(claims, method) {
    const [{ known }] = await sql.unsafe("select to_regprocedure($1) is not null as known", [HOOK]);
    if (!known) return claims;
    const event = { user_id: claims.sub, claims, authentication_method: method };
    const [{ answer }] = await sql.unsafe(
      "select identity.custom_access_token($1::text::jsonb)::text as answer",
      [JSON.stringify(event)],
    );
    const given = JSON.parse(answer).claims;
    const lost = REQUIRED_CLAIMS.filter((name) => !(name in given));
    if (lost.length) throw new Error(`the access token hook lost ${lost}`);
    return given;
  }

  // The admin API's deletion of a user, for holders of the secret key.
  async function deleteUser(c, next) {
    const id = /^\/auth\/v1\/admin\/users\/([^/]+)$/.exec(c.req.path)?.[1];
    if (c.req.method !== "DELETE" || !id) return next();
    const refuse = (code, error_code, msg) => c.json({ code, error_code, msg }, code);
    const claims = await keys.claimsOfKey(c.req.header("apikey") ?? "");
    if (!claims) return refuse(401, "no_authorization", "This endpoint requires a valid Bearer token");
    if (claims.role !== "service_role") return refuse(403, "not_admin", "User not allowed");
    if (!UUID.test(id)) return refuse(404, "validation_failed", "user_id must be an UUID");
    const gone = await sql.unsafe("delete from auth.users where id = $1 returning id", [id]);
    return gone.length ? c.json({}, 200) : refuse(404, "user_not_found", "User not found");
  }

  return [fullClaims, anonymousSignUp, deleteUser];
}
