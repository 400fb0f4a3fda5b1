-- What a workspace, or one agent, may spend in a day or a month, and what running model calls have
-- set aside. What was spent is summed from the ledger, so that it is right whatever broke.
create table budgets (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  -- Null: the whole workspace.
  agent_id uuid,
  period text not null check (period in ('day', 'month')),
  limit_usd_micros bigint not null check (limit_usd_micros > 0),
  -- When people were last told that most of it is spent.
  warned_at timestamptz,
  created_at timestamptz not null,
  primary key (workspace_id, id)
);
create unique index budgets_of_workspace on budgets (workspace_id, period) where agent_id is null;
create unique index budgets_of_agent on budgets (workspace_id, agent_id, period)
  where agent_id is not null;

-- One row a run at most. It counts while its step is under way, so nothing has to take it back:
-- the statement that writes the cost ends the step.
create table budget_reservations (
  workspace_id uuid not null,
  run_id uuid not null,
  step_id uuid not null,
  agent_id uuid not null,
  amount_usd_micros bigint not null,
  primary key (workspace_id, run_id),
  foreign key (workspace_id, run_id) references runs on delete cascade
);

create index usage_entries_spending on usage_entries (workspace_id, time)
  include (agent_id, cost_usd_micros) where cost_usd_micros > 0;

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array['budgets', 'budget_reservations'] loop
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
