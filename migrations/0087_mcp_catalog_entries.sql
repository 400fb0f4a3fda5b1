-- Servers that a workspace's administrators have put beside those of the built-in catalog.
create table mcp_catalog_entries (
  workspace_id uuid not null references workspaces on delete cascade,
  -- Names it in the catalog.
  key text not null,
  -- A file in the format of the official registry (server.json).
  file jsonb not null,
  created_at timestamptz not null,
  primary key (workspace_id, key)
);

alter table mcp_catalog_entries enable row level security;
alter table mcp_catalog_entries force row level security;
create policy tenant on mcp_catalog_entries to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on mcp_catalog_entries to agentarea_tenant;
