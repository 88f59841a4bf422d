import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL, SUPABASE_KEY, EMAIL, PASSWORD } = process.env;
const supabase = createClient(SUPABASE_URL, SUPABASE_KEY);
await supabase.auth.signInWithPassword({ email: EMAIL, password: PASSWORD });

const { data: clips } = await supabase.rpc("next_clips_to_review", { language: "sw" });
for (const { clip_id, prompt } of clips) {
  const { data, error } = await supabase.rpc("cast_vote", { clip_id, label: "valid" });
  console.log(prompt, error ? error.code : data.status);
}
const { data: wallet } = await supabase.from("wallets").select("currency, pending, available").single();
console.log(wallet);
