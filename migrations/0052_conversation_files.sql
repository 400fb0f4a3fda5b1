-- Files that an agent keeps in a conversation, by path. A path is a name and never one on a disk.
create table conversation_files (
  workspace_id uuid not null,
  conversation_id uuid not null,
  path text not null,
  file_id uuid not null,
  updated_at timestamptz not null,
  primary key (workspace_id, conversation_id, path),
  foreign key (workspace_id, file_id) references files
);
create index conversation_files_of_file on conversation_files (workspace_id, file_id);

create trigger count_file_uses after insert or delete on conversation_files
  for each row execute function count_file_uses();

alter table conversation_files enable row level security;
alter table conversation_files force row level security;
create policy tenant on conversation_files to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on conversation_files to agentarea_tenant;
