// Sign-in details that hosted has and lite lacks: claims in the access token, anonymous users.

import { randomUUID } from "node:crypto";
import { SignJWT, decodeJwt } from "jose";

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
    return new SignJWT({
      iss: `${issuer()}/auth/v1`,
      ...claims,
      email: user.email ?? "",
      phone: user.phone ?? "",
      app_metadata: user.app_metadata,
      user_metadata: user.user_metadata,
      aal: "aal1",
      amr: [{ method, timestamp: claims.iat }],
      is_anonymous: user.is_anonymous,
    })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .sign(keys.signingKey);
  }

  return [fullClaims, anonymousSignUp];
}
