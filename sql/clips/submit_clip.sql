-- Take in a clip: pending, open for votes, once per idempotency key.
--
-- The media object is named by its path in the author's own folder of the clips
-- bucket. Callers: members. Fails with rate_limited, invalid_input, unknown_language,
-- media_already_used, idempotency_key_reused, idempotency_key_in_use.

create or replace function clips.submit_clip(
  p_kind public.clip_kind,
  p_language text,
  p_media_path text,
  p_duration_ms integer,
  p_prompt text,
  p_transcript text,
  p_idempotency_key text
)
returns public.clips
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_author_id uuid := app.require_member();
  v_key text := app.idempotency_key(p_idempotency_key);
  v_media_path text := app.require_text('media_path', p_media_path, 1, 400);
  v_prompt text := app.require_text('prompt', p_prompt, 0, 2000);
  v_transcript text := app.require_text('transcript', p_transcript, 0, 5000);
  v_answer jsonb;
  v_clip public.clips;
begin
  perform limits.spend('submit_clip');

  if p_kind is null then
    perform app.fail('invalid_input', 'kind: voice or video');
  end if;
  if (p_duration_ms between 1 and 600000) is not true then
    perform app.fail('invalid_input', 'duration_ms: 1 to 600000');
  end if;
  if v_prompt is null and v_transcript is null then
    perform app.fail('invalid_input', 'prompt or transcript: one must be given');
  end if;
  if not starts_with(v_media_path, v_author_id || '/') or v_media_path ~ '(^|/)\.{1,2}(/|$)|//|/$' then
    perform app.fail('invalid_input', 'media_path: inside your own folder, <your id>/…');
  end if;

  v_answer := app.claim_idempotency_key(v_author_id, v_key, 'submit_clip', jsonb_build_object(
    'kind', p_kind, 'language', p_language, 'media_path', v_media_path,
    'duration_ms', p_duration_ms, 'prompt', v_prompt, 'transcript', v_transcript
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.clips, v_answer);
  end if;

  if not exists (select from public.languages as l where l.code = p_language and l.is_open) then
    perform app.fail('unknown_language');
  end if;

  insert into public.clips (
    author_id, kind, language, media_path, duration_ms, prompt, transcript, created_at
  )
  values (
    v_author_id, p_kind, p_language, v_media_path, p_duration_ms, v_prompt, v_transcript, app.now()
  )
  on conflict on constraint clips_media_path_unique do nothing
  returning * into v_clip;

  if v_clip.id is null then
    perform app.fail('media_already_used');
  end if;

  perform consensus.open_item(v_clip);
  perform app.store_idempotent_response(v_author_id, v_key, to_jsonb(v_clip));
  return v_clip;
end;
$$;

create or replace function public.submit_clip(
  kind public.clip_kind,
  language text,
  media_path text,
  duration_ms integer,
  prompt text default null,
  transcript text default null,
  idempotency_key text default null
)
returns public.clips
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select clips.submit_clip(
    submit_clip.kind,
    submit_clip.language,
    submit_clip.media_path,
    submit_clip.duration_ms,
    submit_clip.prompt,
    submit_clip.transcript,
    submit_clip.idempotency_key
  );
$$;

comment on function clips.submit_clip(public.clip_kind, text, text, integer, text, text, text) is
'The rule behind the door public.submit_clip.';
comment on function public.submit_clip(public.clip_kind, text, text, integer, text, text, text) is
'Submit a clip you uploaded to <your id>/… in the clips bucket; returns it, pending. Repeat with the same idempotency_key when unsure.';

revoke all on function clips.submit_clip(public.clip_kind, text, text, integer, text, text, text)
from public, anon, authenticated, service_role;
revoke all on function public.submit_clip(public.clip_kind, text, text, integer, text, text, text)
from public, anon, authenticated, service_role;
grant execute on function clips.submit_clip(public.clip_kind, text, text, integer, text, text, text) to authenticated;
grant execute on function public.submit_clip(public.clip_kind, text, text, integer, text, text, text) to authenticated;
