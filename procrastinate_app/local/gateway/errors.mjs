// Errors as PostgREST answers them: body {code, details, hint, message}, status by SQLSTATE.
// https://docs.postgrest.org/en/stable/references/errors.html

const STATUS_BY_CODE = {
  21000: 400,
  23503: 409,
  23505: 409,
  25006: 405,
  "42P01": 404,
  "42P17": 500,
  42883: 404,
  53400: 500,
  "57P01": 503,
  P0001: 400,
};

const STATUS_BY_CLASS = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  25: 500,
  28: 403,
  "2D": 500,
  38: 500,
  39: 500,
  "3B": 500,
  40: 500,
  53: 503,
  54: 500,
  55: 500,
  57: 500,
  58: 500,
  F0: 500,
  HV: 500,
  P0: 500,
  XX: 500,
};

const UNREADABLE = `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`;
const MESSAGE_HINT =
  "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
const DETAIL_HINT =
  "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

export class ApiError extends Error {
  constructor(status, body, headers = {}) {
    super(body.message);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }

  response() {
    return jsonResponse(this.status, this.body, this.headers);
  }
}

export function jsonResponse(status, body, headers = {}) {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
  });
}

export function postgrestError(status, code, message, { details = null, hint = null } = {}) {
  return new ApiError(status, { code, details, hint, message });
}

// Whatever a database call threw, as the answer PostgREST would give to `role`.
export function fromDatabase(error, role) {
  if (error instanceof ApiError) return error;
  const { code, message } = error;
  const details = error.detail ?? null;
  const hint = error.hint ?? null;
  if (!isSqlState(code)) {
    return postgrestError(503, "PGRST001", "Database client error. Retrying the connection.", {
      details: message,
    });
  }
  if (code === "PGRST") return fromRaisedJson(message, error.detail);
  const headers = code === "42501" && role === "anon" ? { "WWW-Authenticate": "Bearer" } : {};
  return new ApiError(statusOf(code, role), { code, details, hint, message }, headers);
}

export function isSqlState(code) {
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && code !== "EPIPE";
}

export function statusOf(code, role) {
  const chosen = /^PT([1-5]\d\d)$/.exec(code);
  if (chosen) return Number(chosen[1]);
  if (code === "42501") return role === "anon" ? 401 : 403;
  return STATUS_BY_CODE[code] ?? STATUS_BY_CLASS[code.slice(0, 2)] ?? 400;
}

// `raise sqlstate 'PGRST'`: the message is the body, the detail is status and headers.
function fromRaisedJson(message, detail) {
  const body = asObject(message);
  if (typeof body?.code !== "string" || typeof body?.message !== "string") {
    return postgrestError(500, "PGRST121", UNREADABLE, {
      details: `Invalid JSON value for MESSAGE: '${message}'`,
      hint: MESSAGE_HINT,
    });
  }
  const answer = asObject(detail);
  if (!Number.isInteger(answer?.status) || asObject(answer?.headers) === null) {
    return postgrestError(500, "PGRST121", UNREADABLE, {
      details: detail ? `Invalid JSON value for DETAIL: '${detail}'` : "DETAIL is missing in the RAISE statement",
      hint: DETAIL_HINT,
    });
  }
  const { code, message: said, details = null, hint = null } = body;
  return new ApiError(answer.status, { code, details, hint, message: said }, answer.headers);
}

function asObject(value) {
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      return null;
    }
  }
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
}
