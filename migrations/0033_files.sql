-- Uploaded files and the messages that have them. Contents are in the object store, under a key made
-- of workspace and id. A row is there before its object and goes after it, so that no object is ever
-- without a row: what a crash leaves behind is found here.

create table files (
  id uuid not null,
  -- No cascade: the objects go first.
  workspace_id uuid not null references workspaces,
  author_id uuid not null references users,
  name text not null,
  media_type text not null,
  size_bytes bigint not null,
  sha256 bytea not null,
  -- What a model reads of it; null if that is nothing, or if it is an image.
  text text,
  -- uploading, ready or deleting.
  state text not null,
  -- Messages that have it.
  uses int not null default 0,
  created_at timestamptz not null,
  primary key (workspace_id, id)
);
create index files_sizes on files (workspace_id) include (size_bytes);
create index files_unused on files (created_at) where uses = 0 or state <> 'ready';

create table message_attachments (
  workspace_id uuid not null,
  conversation_id uuid not null,
  message_id uuid not null,
  position int not null,
  file_id uuid not null,
  primary key (workspace_id, message_id, position),
  foreign key (workspace_id, file_id) references files
);
create index message_attachments_of_conversation
  on message_attachments (workspace_id, conversation_id);
create index message_attachments_of_file on message_attachments (workspace_id, file_id);

create function count_file_uses() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    update files set uses = uses + 1 where workspace_id = new.workspace_id and id = new.file_id;
  else
    update files set uses = uses - 1 where workspace_id = old.workspace_id and id = old.file_id;
  end if;
  return null;
end $$;
create trigger count_file_uses after insert or delete on message_attachments
  for each row execute function count_file_uses();

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array['files', 'message_attachments'] loop
    execute format('alter table %I enable row level security', tenant_table);
    execute format('alter table %I force row level security', tenant_table);
    execute format(
      'create policy tenant on %I to agentarea_tenant
         using (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)
         with check (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)',
      tenant_table);
    execute format('grant select, insert, update, delete on %I to agentarea_tenant', tenant_table);
  end loop;
end $$;
-- Old files are deleted for all workspaces.
create policy system on files to current_user using (true) with check (true);
