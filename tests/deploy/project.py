"""A small project of the house's shape: a shop with goods, sales and their rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy import Deployed, deploy, schema_version

Connection = psycopg.Connection[tuple[Any, ...]]

CREATE_SHOP = """
create schema shop;
grant usage on schema shop to authenticated;

create table public.goods (
  id bigint generated always as identity primary key,
  owner_id uuid,
  title text not null,
  price bigint not null
);
alter table public.goods enable row level security;

create table shop.sales (
  id bigint generated always as identity primary key,
  goods_id bigint not null references public.goods (id),
  amount bigint not null
);
alter table shop.sales enable row level security;
create index sales_goods_id_idx on shop.sales (goods_id);
"""

ADD_STOCK = "alter table public.goods add column stock integer not null default 0;"

INDEX_PRICE = """-- no-transaction

create index concurrently if not exists goods_price_idx on public.goods (price);
"""

SELL = """-- Sell one of the goods.
--
-- Callers: members.

create or replace function shop.sell(p_goods_id bigint)
returns bigint
language sql
volatile
security definer
set search_path = ''
as $$
  insert into shop.sales (goods_id, amount)
  select g.id, shop.discounted(g.price)
  from public.goods as g
  where g.id = p_goods_id
  returning amount;
$$;

create or replace function public.sell(goods_id bigint)
returns bigint
language sql
volatile
set search_path = ''
as $$
  select shop.sell(sell.goods_id);
$$;

comment on function public.sell(bigint) is 'Sell one.';
comment on function shop.sell(bigint) is 'Sell one; the rule.';

revoke all on function shop.sell(bigint) from public, anon, authenticated;
revoke all on function public.sell(bigint) from public, anon, authenticated;
grant execute on function shop.sell(bigint) to authenticated;
grant execute on function public.sell(bigint) to authenticated;
"""

DISCOUNTED = """-- What a buyer pays.

create or replace function shop.discounted(p_price bigint)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select p_price * 9 / 10;
$$;

revoke all on function shop.discounted(bigint) from public, anon, authenticated;
grant execute on function shop.discounted(bigint) to authenticated;
"""

OFFERS = """-- What may be bought.
-- requires: public.bargains

create or replace view public.offers
with (security_invoker = true)
as
select b.id, b.title, b.price
from public.bargains as b;

revoke all on public.offers from public, anon, authenticated;
grant select on public.offers to authenticated;
"""

BARGAINS = """-- Goods at their discounted price.

create or replace view public.bargains
with (security_invoker = true)
as
select g.id, g.title, shop.discounted(g.price) as price
from public.goods as g;

revoke all on public.bargains from public, anon, authenticated;
grant select on public.bargains to authenticated;
"""

BEST_OFFER = """-- The cheapest.
-- requires: public.offers

create or replace function public.best_offer()
returns setof public.offers
language sql
stable
set search_path = ''
as $$
  select o.* from public.offers as o order by o.price limit 1;
$$;

revoke all on function public.best_offer() from public, anon, authenticated;
grant execute on function public.best_offer() to authenticated;
"""

REFUSE_CHANGE = """-- Sales are never changed.

create or replace function shop.tg_sales__refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'sales are append-only';
end;
$$;

revoke all on function shop.tg_sales__refuse_change() from public, anon, authenticated;

create or replace trigger _100_refuse_change
before update or delete on shop.sales
for each row execute function shop.tg_sales__refuse_change();
"""

GOODS_POLICY = """-- Everybody signed in sees goods.

drop policy if exists select_all on public.goods;
create policy select_all on public.goods
for select to authenticated
using (true);

drop policy if exists insert_own on public.goods;
create policy insert_own on public.goods
for insert to authenticated
with check (owner_id = (select auth.uid()));

revoke all on public.goods from public, anon, authenticated;
grant select, insert (owner_id, title, price) on public.goods to authenticated;
"""

SALES_POLICY = """-- Nobody sees sales.

revoke all on shop.sales from public, anon, authenticated;
"""

FILES = {
    "migrations/20260101000000_create_shop_goods.sql": CREATE_SHOP,
    "migrations/20260102000000_add_shop_stock.sql": ADD_STOCK,
    "migrations/20260103000000_index_shop_price.sql": INDEX_PRICE,
    "sql/shop/sell.sql": SELL,
    "sql/shop/discounted.sql": DISCOUNTED,
    "sql/shop/bargains.sql": BARGAINS,
    "sql/shop/offers.sql": OFFERS,
    "sql/shop/best_offer.sql": BEST_OFFER,
    "sql/shop/tg_sales__refuse_change.sql": REFUSE_CHANGE,
    "policies/shop/goods.sql": GOODS_POLICY,
    "policies/shop/sales.sql": SALES_POLICY,
}


@dataclass
class Project:
    """A tree on disk, and how to deploy it."""

    root: Path

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def version_at(self, url: str) -> str | None:
        """The schema that a worker of this tree finds there."""

        async def ask() -> str | None:
            async with await psycopg.AsyncConnection.connect(url) as conn:
                return await schema_version(conn, self.root)

        return asyncio.run(ask())

    def deploy(
        self,
        url: str,
        *,
        report: Callable[[str], None] = lambda line: None,
        until: str | None = None,
        patience: float = 30.0,
    ) -> Deployed:
        return deploy(url, root=self.root, report=report, until=until, patience=patience)
