// Who is calling: the API key opens the gate, a user's token says who walks through it.
//
// As hosted: `apikey` (header or query) is required and is a publishable key, a secret key, or an
// old-style JWT key. A user's token in `Authorization` wins over the key's own role.

import { errors, jwtVerify } from "jose";
import { ApiError } from "./errors.mjs";

const ROLES = new Set(["anon", "authenticated", "service_role"]);
const BROWSER = /^\s*mozilla\/5\.0/i;

export class Keys {
  constructor({ publishable_key, secret_key, jwt_secret }) {
    this.publishable = publishable_key;
    this.secret = secret_key;
    this.signingKey = new TextEncoder().encode(jwt_secret);
  }

  // The key's own claims, or null for a key we did not make.
  async claimsOfKey(key) {
    if (key === this.publishable) return { role: "anon" };
    if (key === this.secret) return { role: "service_role" };
    if (key.split(".").length !== 3) return null;
    return this.verify(key).catch(() => null);
  }

  // The caller's role and claims. Fails with 401 for keys and tokens that are not ours, with 403
  // for a role that no client may take.
  async identify(request, url) {
    const key = request.headers.get("apikey") ?? url.searchParams.get("apikey");
    if (!key) {
      throw new ApiError(401, {
        message: "No API key found in request",
        hint: "No `apikey` request header or url param was found.",
      });
    }
    const keyClaims = await this.claimsOfKey(key);
    if (!keyClaims) {
      throw new ApiError(401, {
        message: "Invalid API key",
        hint: "Double check your Supabase `anon` or `service_role` API key.",
      });
    }
    if (key === this.secret && BROWSER.test(request.headers.get("user-agent") ?? "")) {
      throw new ApiError(401, { message: "Forbidden use of secret API key in browser" });
    }
    const token = /^bearer\s+(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const ownToken = token && token !== key && !token.startsWith("sb_");
    const claims = ownToken ? await this.claimsOfToken(token) : keyClaims;
    const role = claims.role ?? "anon";
    if (!ROLES.has(role)) {
      throw new ApiError(403, {
        code: "42501",
        message: `permission denied to set role "${role}"`,
      });
    }
    return { role, claims: { ...claims, role } };
  }

  async claimsOfToken(token) {
    const parts = token.split(".").length;
    if (parts !== 3) {
      throw unauthorized("PGRST301", `Expected 3 parts in JWT; got ${parts}`);
    }
    try {
      return await this.verify(token);
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw unauthorized("PGRST303", "JWT expired");
      if (error instanceof errors.JWTClaimValidationFailed) {
        throw unauthorized("PGRST303", "JWT not yet valid");
      }
      throw unauthorized(
        "PGRST301",
        "No suitable key or wrong key type",
        "None of the keys was able to decode the JWT",
      );
    }
  }

  async verify(token) {
    const { payload } = await jwtVerify(token, this.signingKey, { algorithms: ["HS256"] });
    return payload;
  }
}

function unauthorized(code, message, details = null) {
  return new ApiError(401, { code, details, message }, { "WWW-Authenticate": "Bearer" });
}
