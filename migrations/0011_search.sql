-- Full-text search: the words of each message, written when its run ends, so that neither posting
-- nor the first token pays for it.
create table message_words (
  workspace_id uuid not null references workspaces on delete cascade,
  message_id uuid not null,
  conversation_id uuid not null,
  words tsvector not null,
  primary key (workspace_id, message_id)
);
create index message_words_match on message_words using gin (words);
create index message_words_of_conversation on message_words (workspace_id, conversation_id);

alter table message_words enable row level security;
alter table message_words force row level security;
create policy tenant on message_words to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on message_words to agentarea_tenant;

-- The words of a text in any language: no stems, no stop words, and no special case for what looks
-- like an address. A tsvector is bounded, so a text counts only so far.
create function words_of(text text) returns tsvector language sql immutable parallel safe as $$
  select to_tsvector('simple',
    translate(left(text, 100000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))
$$;

create function index_run_words() returns trigger language plpgsql as $$
begin
  insert into message_words (workspace_id, message_id, conversation_id, words)
  select m.workspace_id, m.id, m.conversation_id, words_of(m.text)
  from messages m
  where m.workspace_id = new.workspace_id and (m.run_id = new.id or m.id = new.message_id)
    and m.text <> ''
  on conflict (workspace_id, message_id) do nothing;
  return null;
end $$;
create trigger runs_words after update of status on runs for each row
  when (new.status in ('completed', 'failed', 'cancelled'))
  execute function index_run_words();

-- What exists already.
alter table messages no force row level security;
alter table message_words no force row level security;
insert into message_words (workspace_id, message_id, conversation_id, words)
select m.workspace_id, m.id, m.conversation_id, words_of(m.text)
from messages m where m.text <> '';
alter table message_words force row level security;
alter table messages force row level security;
