-- Who may listen to private broadcasts: a person to their own topic, user:<their id>.
-- Nobody but the worker sends, with the secret key, so there is no insert policy.
--
-- Realtime asks when a client joins, and again when its token is renewed.

drop policy if exists select_own_topic on realtime.messages;
create policy select_own_topic on realtime.messages
for select to authenticated
using (
  extension = 'broadcast'
  and (select realtime.topic()) = 'user:' || (select auth.uid())
);
