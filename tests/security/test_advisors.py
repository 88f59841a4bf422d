"""Supabase's own advisors look at the deployed schema."""

from __future__ import annotations

import pytest

from procrastinate_app.deploy import advisors
from procrastinate_app.local import supabase_cli
from tests.support.databases import FreshDatabase, superuser_url

pytestmark = pytest.mark.skipif(
    supabase_cli.find_cli() is None, reason="no Supabase CLI for this platform"
)

# what each plants: the finding it must give
PLANTED = {
    "create table public.planted (id integer primary key, email text, password text);"
    "grant select on public.planted to anon": "rls_disabled_in_public",
    "create view public.planted as select * from public.profiles;"
    "grant select on public.planted to anon": "security_definer_view",
    "create view public.planted as select id, email from auth.users;"
    "grant select on public.planted to anon": "auth_users_exposed",
    "create materialized view public.planted as select 1 as one;"
    "grant select on public.planted to anon": "materialized_view_in_api",
    "create function app.planted() returns integer language sql as 'select 1'":
        "function_search_path_mutable",
    "drop policy select_own on public.votes; create policy select_own on public.votes"
    " for select to authenticated using (voter_id = auth.uid())": "auth_rls_initplan",
    "create policy planted on public.votes for select to authenticated using (false)":
        "multiple_permissive_policies",
    "create policy planted on public.votes for insert to authenticated with check (true)":
        "rls_policy_always_true",
}  # fmt: skip


def test_supabases_advisors_find_nothing(fresh_db: FreshDatabase) -> None:
    """R1, R29, R52: no error, no warning, and no exception that is not needed any more."""
    assert advisors.complaints(advisors.findings(fresh_db.url)) == []


def test_planted_mistakes_are_found(fresh_db: FreshDatabase) -> None:
    """Also in what only exposed schemas are asked about, which a wrong setting would silence."""
    url = superuser_url(fresh_db.server, fresh_db.name)
    missed = {}
    for mistake, expected in PLANTED.items():
        with fresh_db.connect() as owner:
            owner.execute(mistake.encode())
            found = {finding.name for finding in advisors.findings(url)}
            if expected not in found:
                missed[mistake] = found
            for kind in ("table", "materialized view", "view"):
                owner.execute(
                    f"do $$ begin drop {kind} if exists public.planted;"
                    " exception when wrong_object_type then null; end $$"
                )
            owner.execute("drop function if exists app.planted()")
            owner.execute("drop policy if exists planted on public.votes")
    assert missed == {}


def test_an_exception_that_is_not_needed_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    known = advisors.Finding("WARN", "known", "known_key", "as it should be")
    monkeypatch.setitem(advisors.ALLOWED, "known_key", "a reason")
    monkeypatch.setitem(advisors.ALLOWED, "gone_key", "a reason")

    assert advisors.complaints([known]) == ["gone_key is allowed and not found any more"]
    unknown = advisors.Finding("ERROR", "new", "new_key", "a mistake")
    assert "ERROR new: a mistake (new_key)" in advisors.complaints([known, unknown])
