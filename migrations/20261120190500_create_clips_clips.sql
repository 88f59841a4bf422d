-- Clips: what people contribute, in which language, and what became of it.

create schema clips;
grant usage on schema clips to authenticated, service_role;

comment on schema clips is 'Contributed voice and video clips.';

create table public.languages (
  code text primary key,
  name text not null,
  is_open boolean not null default true,

  constraint languages_code_is_bcp47 check (code ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$')
);
alter table public.languages enable row level security;

comment on table public.languages is 'Languages clips may be in, by BCP 47 tag.';
comment on column public.languages.is_open is 'Whether new clips are accepted.';

insert into public.languages (code, name)
values
('aka', 'Akan'), ('am', 'Amharic'), ('ee', 'Ewe'), ('en', 'English'), ('en-NG', 'English (Nigeria)'),
('fr', 'French'), ('gaa', 'Ga'), ('ha', 'Hausa'), ('ig', 'Igbo'), ('ln', 'Lingala'),
('pcm', 'Nigerian Pidgin'), ('pt', 'Portuguese'), ('rw', 'Kinyarwanda'), ('sn', 'Shona'),
('so', 'Somali'), ('sw', 'Swahili'), ('tw', 'Twi'), ('wo', 'Wolof'), ('xh', 'Xhosa'),
('yo', 'Yoruba'), ('zu', 'Zulu');

create type public.clip_kind as enum ('voice', 'video');
comment on type public.clip_kind is 'What a clip is recorded as.';

create type public.validation_status as enum ('pending', 'valid', 'invalid');
comment on type public.validation_status is 'What the community, or staff, found of a clip.';

create table public.clips (
  id uuid primary key default app.uuid_v7(),
  author_id uuid not null references public.profiles (id) on delete restrict,
  kind public.clip_kind not null,
  language text not null references public.languages (code) on delete restrict,
  media_path text not null,
  duration_ms integer not null,
  prompt text,
  transcript text,
  status public.validation_status not null default 'pending',
  status_reason text,
  is_hidden boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  published_at timestamptz,

  constraint clips_media_path_unique unique (media_path),
  constraint clips_media_path_length check (length(media_path) between 1 and 400),
  constraint clips_duration_in_range check (duration_ms between 1 and 600000),
  constraint clips_prompt_length check (length(prompt) <= 2000),
  constraint clips_transcript_length check (length(transcript) <= 5000),
  constraint clips_prompt_or_transcript check (prompt is not null or transcript is not null),
  constraint clips_published_only_when_valid check (published_at is null or (status = 'valid' and not is_hidden))
) with (fillfactor = 80);
alter table public.clips enable row level security;

create index clips_author_id_idx on public.clips (author_id, id);
create index clips_feed_idx on public.clips (language, published_at desc, id desc) where published_at is not null;
create index clips_feed_all_idx on public.clips (published_at desc, id desc) where published_at is not null;

comment on table public.clips is 'Contributed clips. Others see one only while it is published.';
comment on column public.clips.media_path is 'Object path in the clips bucket, inside the author''s own folder.';
comment on column public.clips.status_reason is 'Why the clip has its status, for its author.';
comment on column public.clips.is_hidden is 'Hidden by moderation; never published while set.';
comment on column public.clips.version is 'Grows with every change; events carry it.';
comment on column public.clips.published_at is 'Set while everyone may see the clip: valid and not hidden.';
