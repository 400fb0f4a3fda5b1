-- Sign-ins at remote tool servers: one that is under way, and what the last one left.

create table mcp_sign_ins (
  workspace_id uuid not null,
  server_id uuid not null,
  -- The grant with its tokens, sealed by the vault.
  grant_id uuid,
  -- Whoever renews the tokens keeps others from doing so until then.
  renewing_until timestamptz,
  -- A sign-in under way: its state by hash, the browser session that began it, what finishing needs,
  -- sealed, and when it ends. One at a time: a second one replaces the first.
  state_hash bytea,
  session_id uuid,
  pending_id uuid,
  pending_until timestamptz,
  primary key (workspace_id, server_id),
  foreign key (workspace_id, server_id) references mcp_servers on delete cascade,
  foreign key (workspace_id, grant_id) references secrets (workspace_id, id),
  foreign key (workspace_id, pending_id) references secrets (workspace_id, id)
);

alter table mcp_sign_ins enable row level security;
alter table mcp_sign_ins force row level security;
create policy tenant on mcp_sign_ins to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on mcp_sign_ins to agentarea_tenant;
