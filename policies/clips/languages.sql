-- Everyone reads the languages; the owner edits them.

drop policy if exists select_everyone on public.languages;
create policy select_everyone on public.languages
for select to anon, authenticated
using (true);

revoke all on public.languages from public, anon, authenticated, service_role;
grant select on public.languages to anon, authenticated, service_role;
