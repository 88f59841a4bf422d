-- What a key was first used for, field by field, so that a refusal can name the one that differs.
-- Values are kept as salted digests only; null in rows of an earlier release.

alter table app.idempotency_keys add column request jsonb;

comment on column app.idempotency_keys.request is
'Each argument of the first call by name, as a digest salted with caller and key.';
