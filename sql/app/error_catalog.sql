-- Every code a rule fails with: the one place that says its status and words.
--
-- app.fail() reads it; docs/reference/errors.md is written from it; a test holds it
-- together with the codes used in sql/. Messages are constant: values go in details.

create or replace function app.error_catalog()
returns table (code text, status integer, message text, hint text)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  values
    ('already_decided', 409, 'Voting on this clip has ended.', 'Take the clip off the screen and go on with the next one.'),
    ('already_reversed', 409, 'This transfer has been reversed before.', null),
    ('append_only', 403, 'These rows are never changed or removed.', 'Write a new row that corrects the old one.'),
    ('approver_not_independent', 403, 'Who approves a change was an admin before it was proposed, and not made one by its proposer.', 'Ask another admin.'),
    ('clip_not_found', 404, 'There is no such clip.', null),
    ('flag_not_found', 404, 'There is no such feature flag.', 'set_flag makes one.'),
    ('handle_taken', 409, 'This handle belongs to somebody else.', 'Choose another handle.'),
    ('hold_resolved', 409, 'This hold has been settled, voided or has expired before.', null),
    ('idempotency_key_in_use', 409, 'The first call with this key has not finished yet.', 'Repeat the call with the same key in a moment.'),
    ('idempotency_key_reused', 422, 'This key was used for a different request.', 'Make a new key for every new request.'),
    ('insufficient_funds', 409, 'The account does not have this amount available.', null),
    ('invalid_input', 400, 'A value is missing or not acceptable.', 'details names the value and what it must be.'),
    ('invalid_transfer', 400, 'A transfer needs two different accounts of one currency and a positive amount.', null),
    ('last_admin', 409, 'The last admin cannot be removed.', 'Grant somebody else the role first.'),
    ('media_already_used', 409, 'Another clip was made of this media object.', 'Upload the recording under a new path.'),
    ('not_a_member', 403, 'This needs an account with a confirmed e-mail or phone.', 'Confirm the e-mail or phone, then try again.'),
    ('not_authenticated', 401, 'You are not signed in.', 'Sign in and send the access token.'),
    ('not_permitted', 403, 'Your roles do not allow this.', null),
    ('own_clip', 403, 'Authors do not vote on their own clips.', null),
    ('own_role', 403, 'Nobody grants a role to themselves.', 'Ask another admin.'),
    ('own_setting_change', 403, 'Nobody approves their own change of a setting.', 'Ask another admin.'),
    ('rate_limited', 429, 'Too many calls in a short time.', 'Wait as long as the Retry-After header says, then try again.'),
    ('setting_change_closed', 409, 'This change of a setting is not open any more.', 'Propose it again if it is still wanted.'),
    ('setting_change_not_found', 404, 'There is no such change of a setting.', null),
    ('setting_not_found', 404, 'There is no such setting.', 'list_settings names them.'),
    ('setting_unchanged', 409, 'The setting has this value already.', null),
    ('status_unchanged', 409, 'The clip has this status already, and it is final.', null),
    ('unknown_label', 400, 'Clips of this kind have no such label.', 'details lists the labels.'),
    ('unknown_language', 400, 'This language is not open for clips.', 'Read the languages table for those that are.'),
    ('user_not_found', 404, 'There is no such user.', null),
    ('wallet_not_empty', 409, 'There is money in the wallet, or promised to it.', 'Have it paid out first, or give it up expressly.');
$$;

comment on function app.error_catalog() is
'Code, HTTP status, message and hint of every error the rules fail with.';

revoke all on function app.error_catalog() from public, anon, authenticated, service_role;
grant execute on function app.error_catalog() to anon, authenticated, service_role;
