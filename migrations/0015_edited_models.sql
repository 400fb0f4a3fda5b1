-- What people say of models: prices, limits and abilities in place of the catalog's.

create table edited_models (
  workspace_id uuid not null references workspaces on delete cascade,
  connection_id uuid not null,
  name text not null,
  context_window int,
  max_output_tokens int,
  supports_tools boolean,
  supports_vision boolean,
  -- Micro-dollars for a million tokens, by what they are for.
  price jsonb,
  updated_at timestamptz not null,
  primary key (workspace_id, connection_id, name),
  foreign key (workspace_id, connection_id)
    references model_connections (workspace_id, id) on delete cascade
);

alter table edited_models enable row level security;
alter table edited_models force row level security;
create policy tenant on edited_models to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on edited_models to agentarea_tenant;
