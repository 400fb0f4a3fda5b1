-- Tool servers of a workspace, and what they say of their tools.

create table mcp_servers (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null,
  -- Names it had before, newest first: the gateway goes on understanding them.
  former_names text[] not null default '{}',
  -- Where it is, without secrets.
  source jsonb not null,
  -- A JSON object of names and values, sealed by the vault.
  secret_id uuid,
  -- Raised by each change of the source or its secrets; a connection belongs to one revision.
  revision int not null,
  state text not null,
  reason text,
  state_since timestamptz not null,
  title text,
  protocol_version text,
  -- Prompts and resources.
  offers jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, secret_id) references secrets (workspace_id, id)
);
create unique index mcp_servers_name_key on mcp_servers (workspace_id, name);

-- A tool is quarantined while definition_hash differs from accepted_hash. A tool that its server no
-- longer offers keeps its row, so that it cannot come back changed and unseen.
create table mcp_tools (
  workspace_id uuid not null,
  server_id uuid not null,
  name text not null,
  -- json, not jsonb: schemas are shown in the order in which they were written.
  definition json not null,
  definition_hash text not null,
  accepted_definition json not null,
  accepted_hash text not null,
  is_offered boolean not null,
  primary key (workspace_id, server_id, name),
  foreign key (workspace_id, server_id) references mcp_servers on delete cascade
);

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array['mcp_servers', 'mcp_tools'] loop
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
