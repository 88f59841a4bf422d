// The whole path with supabase-js: a clip is submitted, reviewed, decided, and its people are paid.
//
//   SUPABASE_URL=… SUPABASE_KEY=sb_publishable_… node examples/vote_and_earn.mjs
//
// `make up` prints both. Node 22 or newer (Node 20 needs --experimental-websocket).
//
// @ts-check
// Doors, arguments, rows and answers are checked against database.types.ts, which `make types` writes.

import { randomUUID } from "node:crypto";
import { createClient } from "@supabase/supabase-js";

/** @typedef {import("./database.types").Database} Database */
/** @typedef {Database["public"]["Functions"]} Doors */
/** @typedef {{ name: string, id: string, supabase: import("@supabase/supabase-js").SupabaseClient<Database> }} Person */

const { SUPABASE_URL = "", SUPABASE_KEY = "" } = process.env;

// One client per person: it carries their access token. Where Supabase Auth asks for the e-mail to
// be confirmed, people become members when they follow the link.
/** @param {string} name @returns {Promise<Person>} */
async function join(name) {
  /** @type {Person["supabase"]} */
  const supabase = createClient(SUPABASE_URL, SUPABASE_KEY, { auth: { persistSession: false } });
  const { data, error } = await supabase.auth.signUp({
    email: `${name}-${randomUUID()}@example.com`,
    password: randomUUID(),
  });
  if (error) throw error;
  if (!data.user) throw new Error("signed up as nobody");
  return { name, id: data.user.id, supabase };
}

// A door answers with data, or with an error of {code, message, details, hint}.
/**
 * @template {keyof Doors & string} Door
 * @param {Person} person
 * @param {Door} door
 * @param {Doors[Door]["Args"]} args
 * @returns {Promise<Doors[Door]["Returns"]>}
 */
async function call(person, door, args) {
  const { data, error } = await person.supabase.rpc(door, args);
  if (error) throw error;
  return /** @type {Doors[Door]["Returns"]} */ (data);
}

// Amounts are whole minor units (cents), so that no sum is ever rounded.
/** @param {number | null} minor @param {string} currency */
const money = (minor, currency) =>
  new Intl.NumberFormat("en", { style: "currency", currency }).format((minor ?? 0) / 100);

// -- people

const author = await join("amara");
const reviewers = [await join("biko"), await join("chidi")];

const me = await call(author, "update_profile", { display_name: "Amara", locale: "sw" });
console.log(`signed up: ${me.display_name}, member: ${me.is_member}`);

// -- a clip, taken in once

// The recording lies in the author's own folder. With an idempotency key the call can be repeated
// when its answer got lost: the same clip comes back.
/** @type {Doors["submit_clip"]["Args"]} */
const submission = {
  kind: "voice",
  language: "sw",
  media_path: `${author.id}/${randomUUID()}.ogg`,
  duration_ms: 2400,
  prompt: "Habari ya asubuhi",
  idempotency_key: randomUUID(),
};
const clip = await call(author, "submit_clip", submission);
const repeated = await call(author, "submit_clip", submission);
console.log(`submitted: ${clip.status}, repeated: ${repeated.id === clip.id ? "same clip" : "another"}`);

// -- an error is told by its code; message and hint are for people

const { error, status } = await author.supabase.rpc("cast_vote", { clip_id: clip.id, label: "valid" });
switch (error?.code) {
  case "own_clip":
    console.log(`refused: ${status} ${error.code}: ${error.message}`);
    break;
  case "already_decided":
    console.log("too late: on to the next clip");
    break;
  default:
    throw error ?? new Error("the author could vote");
}

// -- review: clips are leased for a while, those that need the fewest votes come first.
// Postgres cannot say of a type's attributes that they are never null; docs/reference/doors.md does.

for (const reviewer of reviewers) {
  for (const item of await call(reviewer, "next_clips_to_review", { language: "sw", max_clips: 5 })) {
    const clip_id = /** @type {string} */ (item.clip_id);
    const outcome = await call(reviewer, "cast_vote", { clip_id, label: "valid" });
    console.log(`${reviewer.name} voted ${outcome.label}: ${outcome.status}, ${outcome.votes_needed} more needed`);
  }
}

// -- the feed: everyone sees a valid clip; `!author_id` says which link to profiles is meant

const { data: feed, error: unread } = await author.supabase
  .from("clips")
  .select("prompt, author:profiles!author_id(display_name)")
  .eq("language", "sw")
  .not("published_at", "is", null)
  .order("published_at", { ascending: false })
  .limit(1);
if (unread) throw unread;
console.log(`feed: "${feed[0].prompt}" by ${feed[0].author.display_name}`);

// -- the wallets: rewards are pending until the decision has stood for some days

for (const person of [author, ...reviewers]) {
  const { data: wallets } = await person.supabase.from("wallets").select();
  for (const { currency, pending, available } of wallets ?? []) {
    const lines = await call(person, "wallet_statement", { currency });
    const amounts = `${money(pending, currency)} pending, ${money(available, currency)} available`;
    console.log(`${person.name}: ${amounts}, ${lines.length} entries`);
  }
}
