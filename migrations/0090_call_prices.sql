-- Tools may cost money, and calls without a run are counted too: through the gateway, and tried.
alter table mcp_servers add column call_price_usd_micros bigint
  check (call_price_usd_micros > 0);

alter table usage_entries
  alter column run_id drop not null,
  alter column agent_id drop not null,
  add column via text not null default 'run' check (via in ('run', 'gateway', 'trial')),
  -- The tool server, by the name that it had.
  add column server text;
create index usage_entries_calls on usage_entries (workspace_id, id desc);

-- What tool calls under way cost. The statement that writes the cost takes its row away; what a
-- crash leaves counts no longer than such a call can take.
create table call_reservations (
  workspace_id uuid not null references workspaces on delete cascade,
  call_id uuid not null,
  agent_id uuid,
  amount_usd_micros bigint not null,
  expires_at timestamptz not null,
  primary key (workspace_id, call_id)
);

alter table call_reservations enable row level security;
alter table call_reservations force row level security;
create policy tenant on call_reservations to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert, update, delete on call_reservations to agentarea_tenant;
