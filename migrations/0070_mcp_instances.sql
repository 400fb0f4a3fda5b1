-- What a person wants of a server in a container, beside what it was found to be, and which process
-- of the fleet runs it.

-- "running" may sleep while nobody calls it; "stopped" is not woken by calls.
alter table mcp_servers add column desired_state text not null default 'running'
  check (desired_state in ('running', 'stopped'));

-- Only tenants have a policy there; the owner of the table may while it is not forced.
alter table mcp_servers no force row level security;
update mcp_servers set desired_state = 'stopped' where state = 'stopped';
alter table mcp_servers force row level security;

-- The reconcile loop looks at the servers of all workspaces.
create policy system on mcp_servers for select to current_user using (true);

-- Who runs a server's one container. The row stays when the container goes, so that the fence grows.
create table mcp_instances (
  workspace_id uuid not null,
  server_id uuid not null,
  -- A row of container_processes, and for how long it holds the server without saying so again.
  owner uuid,
  held_until timestamptz not null,
  -- Raised by each start; on the container's label, too.
  fence bigint not null,
  primary key (workspace_id, server_id),
  foreign key (workspace_id, server_id) references mcp_servers on delete cascade
);
create index mcp_instances_owner on mcp_instances (owner);

alter table mcp_instances enable row level security;
alter table mcp_instances force row level security;
create policy tenant on mcp_instances to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy system on mcp_instances to current_user using (true) with check (true);
grant select, insert, update, delete on mcp_instances to agentarea_tenant;

-- Where the other processes of the fleet reach it.
alter table container_processes add column address text not null default '';

-- Which process reconciles for the whole fleet.
alter table installation add column leader uuid, add column leader_until timestamptz;
