-- Tool calls of runs, and the questions that they ask people.
--
-- Like messages they have no foreign keys: they are written under their run's fence, and deleted by
-- name with their conversation.

alter table messages add column reasoning text not null default '';
-- What the provider wants to see again with this message, in its own format.
alter table messages add column carry text;
alter table run_steps add column cost_usd_micros bigint not null default 0;

create table tool_calls (
  id uuid not null,
  workspace_id uuid not null,
  conversation_id uuid not null,
  run_id uuid not null,
  -- The message that asked, and the call's place among its calls.
  message_id uuid not null,
  ordinal int not null,
  -- As the model asked: the provider's id, the tool's name there, the arguments as written.
  asked_id text not null,
  asked_name text not null,
  asked_arguments text not null,
  -- null for tools inside the program.
  server_id uuid,
  server text not null,
  tool text not null,
  -- What it is called with; a person may have changed it. json, not jsonb: kept byte for byte.
  arguments json not null,
  is_repeatable boolean not null,
  definition_hash text not null,
  status text not null,
  is_error boolean not null,
  result text not null,
  artifact_id uuid,
  duration_ms bigint not null,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (workspace_id, id)
);
create index tool_calls_of_message on tool_calls (workspace_id, message_id, ordinal);
create index tool_calls_of_run on tool_calls (workspace_id, run_id);
create index tool_calls_of_conversation on tool_calls (workspace_id, conversation_id);

create table approvals (
  id uuid not null,
  workspace_id uuid not null,
  conversation_id uuid not null,
  run_id uuid not null,
  call_id uuid not null,
  agent_id uuid not null,
  server_id uuid,
  server text not null,
  tool text not null,
  -- What the decision is about; it counts for nothing else.
  arguments json not null,
  definition_hash text not null,
  reason text not null,
  status text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  decided_at timestamptz,
  decided_by uuid,
  decision_reason text,
  primary key (workspace_id, id)
);
-- One open question a call.
create unique index approvals_open_key on approvals (workspace_id, call_id) where status = 'pending';
create index approvals_open on approvals (workspace_id, id desc) where status = 'pending';
create index approvals_of_conversation on approvals (workspace_id, conversation_id);
create index approvals_of_run on approvals (workspace_id, run_id);
create index approvals_expiring on approvals (expires_at) where status = 'pending';

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array['tool_calls', 'approvals'] loop
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
-- Old questions are looked for in all workspaces.
create policy system on approvals to current_user using (true) with check (true);
