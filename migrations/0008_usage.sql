-- What model and tool calls used up: one row a call, kept when its conversation is deleted.
create table usage_entries (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  time timestamptz not null,
  run_id uuid not null,
  agent_id uuid not null,
  author_id uuid not null,
  kind text not null,
  -- The model's name, or the tool's as models know it.
  target text not null,
  is_error boolean not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd_micros bigint not null,
  duration_ms bigint not null,
  primary key (workspace_id, id)
);
-- Rows come in order of time, so the smallest index does.
create index usage_entries_time on usage_entries using brin (time);

alter table usage_entries enable row level security;
alter table usage_entries force row level security;
create policy tenant on usage_entries to agentarea_tenant
  using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant select, insert on usage_entries to agentarea_tenant;
