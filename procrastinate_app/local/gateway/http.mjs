// Node's HTTP server around a fetch-style handler, with a limit on request bodies.

import { createServer } from "node:http";

// Far above any honest call (files go to Storage), far below what hurts the process.
export const MAX_BODY_BYTES = 5 * 1024 * 1024;

export const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers":
    "Content-Range, Content-Location, Preference-Applied, Retry-After, X-Request-Id",
};

// Serve `handle(request, body)` on loopback; resolves to {server, url}.
export function serve({ port, handle }) {
  let url;
  const answer = (req, body) => {
    if (body === null) return tooLarge();
    const asked = readUrl(req.url, url);
    if (!asked) return unreadable(req.url);
    return handle(toRequest(req, asked, body), body);
  };
  const server = createServer(async (req, res) => {
    try {
      const body = await readBody(req);
      await write(req, res, await answer(req, body));
    } catch (error) {
      if (req.destroyed && !req.complete) return res.destroy();
      console.error(error);
      await write(req, res, internalError());
    }
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      url = `http://127.0.0.1:${server.address().port}`;
      resolve({ server, url });
    });
  });
}

// The whole body, or null when it is too large. A large one is still read to its end: a client that
// is cut off while sending sees a broken connection instead of the answer.
async function readBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size <= MAX_BODY_BYTES ? Buffer.concat(chunks) : null;
}

// The address asked for, or null when it is none, its percent-encoding is no text (handlers may
// decode it), or it names a user or a password, which a request may not.
function readUrl(target, base) {
  try {
    const url = new URL(target, base);
    decodeURIComponent(url.pathname);
    return url.username || url.password ? null : url;
  } catch {
    return null;
  }
}

function toRequest(req, url, body) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    for (const one of [value].flat()) headers.append(name, one);
  }
  if (!headers.has("x-forwarded-for")) headers.set("x-forwarded-for", req.socket.remoteAddress ?? "");
  const bodyless = req.method === "GET" || req.method === "HEAD";
  return new Request(url, {
    method: req.method,
    headers,
    body: bodyless || !body.length ? undefined : body,
  });
}

async function write(req, res, response) {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) res.setHeader(name, value);
  for (const [name, value] of Object.entries(CORS)) res.setHeader(name, value);
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status !== 204 && response.status !== 304) res.setHeader("Content-Length", body.length);
  res.end(req.method === "HEAD" ? undefined : body);
}

function tooLarge() {
  return Response.json(
    {
      code: "413",
      details: null,
      hint: "Upload files to Storage and pass their path.",
      message: `The request body is larger than ${MAX_BODY_BYTES} bytes`,
    },
    { status: 413 },
  );
}

function unreadable(target) {
  return Response.json(
    {
      code: "400",
      details: null,
      hint: "Percent-encode the path as UTF-8; a percent sign itself is %25.",
      message: `The path cannot be read: ${target.split("?", 1)[0]}`,
    },
    { status: 400 },
  );
}

function internalError() {
  return Response.json(
    { code: "500", details: null, hint: null, message: "The local gateway failed; see its log" },
    { status: 500 },
  );
}
