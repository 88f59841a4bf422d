// What supabase-js must be able to do against the gateway. Exits with an error when it cannot.

import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import ws from "ws";

const { API_URL, API_KEY } = process.env;
const client = createClient(API_URL, API_KEY, {
  auth: { persistSession: false, autoRefreshToken: false },
  realtime: { transport: ws },
});

const email = `${crypto.randomUUID()}@example.com`;
const signUp = await client.auth.signUp({ email, password: "secret12" });
assert.equal(signUp.error, null);
assert.ok(signUp.data.session);

const signIn = await client.auth.signInWithPassword({ email, password: "secret12" });
assert.equal(signIn.error, null);
const { data: me } = await client.auth.getUser();
assert.equal(me.user.email, email);

const wrong = await client.auth.signInWithPassword({ email, password: "wrong123" });
assert.equal(wrong.error.code, "invalid_credentials");

const sum = await client.rpc("add", { a: 1, b: 2 });
assert.equal(sum.data, 3);
assert.equal((await client.rpc("add", { a: 1, b: 2 }, { get: true })).data, 3);
assert.equal((await client.rpc("nothing")).status, 204);
assert.deepEqual((await client.rpc("one_pair").single()).data, { left_side: 1, right_side: "x" });

const failed = await client.rpc("fail", { kind: "json" });
assert.equal(failed.status, 429);
assert.equal(failed.error.code, "own_clip");
assert.equal(failed.error.message, "m");
assert.equal(failed.error.details, "d");
assert.equal(failed.error.hint, "h");

const songs = await client
  .from("songs")
  .select("title, author:authors!inner(name)", { count: "exact" })
  .order("title")
  .limit(1);
assert.deepEqual(songs.data, [{ title: "alpha", author: { name: "Ada" } }]);
assert.equal(songs.count, 2);

const maybe = await client.from("songs").select("*").eq("title", "none").maybeSingle();
assert.equal(maybe.data, null);
assert.equal(maybe.error, null);

const refused = await client.from("songs").insert({ title: "mine" });
assert.equal(refused.status, 403);
assert.equal(refused.error.code, "42501");

const anonymous = await client.auth.signInAnonymously();
assert.equal(anonymous.data.user.is_anonymous, true);

process.exit(0);
