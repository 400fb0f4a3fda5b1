-- Profiles, sessions as people see them, scoped API keys, invitations, sign-in throttling, audit.

alter table users add column name text not null default '';

alter table sessions add column address text not null default '';
alter table sessions add column user_agent text not null default '';
create index sessions_owner on sessions (user_id, seen_at desc);

-- Names of actions; null is whatever the owner may.
alter table api_keys add column scopes text[];

create table invitations (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  token_hash bytea not null,
  invited_by uuid not null references users,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (workspace_id, id)
);
create unique index invitations_token_key on invitations (token_hash);
create unique index invitations_email_key on invitations (workspace_id, lower(email));

-- Failed sign-ins of the last while, by account, device or address; subject is a hash.
create table sign_in_failures (
  subject bytea primary key,
  failed_at timestamptz[] not null
);

-- Append-only: nobody is granted update or delete.
create table audit_events (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  time timestamptz not null,
  actor_id uuid not null,
  via text not null,
  action text not null,
  object_id uuid,
  object_name text not null,
  result text not null,
  request_id text not null,
  primary key (workspace_id, id)
);

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array['invitations', 'audit_events'] loop
    execute format('alter table %I enable row level security', tenant_table);
    execute format('alter table %I force row level security', tenant_table);
    execute format(
      'create policy tenant on %I to agentarea_tenant
         using (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)
         with check (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)',
      tenant_table);
  end loop;
end $$;
grant select, insert, update, delete on invitations to agentarea_tenant;
grant select, insert on audit_events to agentarea_tenant;
-- The holder of a link is in no workspace yet.
create policy system on invitations to current_user using (true) with check (true);

-- Posting a message writes its line of the audit log, too.
drop function create_run;
create function create_run(
  in_workspace_id uuid, in_conversation_id uuid, in_last_seq bigint, in_title text,
  in_run_id uuid, in_agent_id uuid, in_agent_version int, in_author_id uuid,
  in_message_id uuid, in_answer_id uuid, in_idempotency_key text, in_text text,
  in_worker uuid, in_step_id uuid, in_target text, in_now timestamptz,
  in_event_ids uuid[], in_event_types text[], in_event_data text[],
  unless_changed boolean, in_connection_id uuid, in_connection_updated_at timestamptz,
  in_runs_per_workspace bigint,
  in_audit_id uuid, in_via text, in_request_id text
) returns boolean language plpgsql as $$
declare
  starts constant boolean := in_worker is not null;
  new_last_seq constant bigint := in_last_seq + cardinality(in_event_ids);
begin
  perform set_config('role', 'agentarea_tenant', true),
    set_config('app.workspace_id', in_workspace_id::text, true);

  update conversations c set last_seq = new_last_seq, updated_at = in_now,
    title = case when c.title = '' then in_title else c.title end
  where c.workspace_id = in_workspace_id and c.id = in_conversation_id and c.last_seq = in_last_seq
    and (not unless_changed or (
      exists (select from agents a
        where a.workspace_id = in_workspace_id and a.id = c.agent_id
          and a.version = in_agent_version and a.archived_at is null)
      and exists (select from model_connections m
        where m.workspace_id = in_workspace_id and m.id = in_connection_id
          and m.updated_at = in_connection_updated_at)
      and not exists (select from runs r
        where r.workspace_id = in_workspace_id and r.conversation_id = in_conversation_id
          and r.status in ('queued', 'running', 'waiting'))
      and (select count(*) from runs r
        where r.workspace_id = in_workspace_id and r.status = 'running') < in_runs_per_workspace));
  if not found then
    return false;
  end if;

  insert into runs
    (id, workspace_id, conversation_id, agent_id, agent_version, author_id, message_id, answer_id,
     idempotency_key, status, attempt, fence, lease_owner, lease_expires_at, created_at, started_at)
  values
    (in_run_id, in_workspace_id, in_conversation_id, in_agent_id, in_agent_version, in_author_id,
     in_message_id, in_answer_id, in_idempotency_key,
     case when starts then 'running' else 'queued' end, 1, case when starts then 1 else 0 end,
     in_worker, case when starts then now() + interval '10 seconds' end,
     in_now, case when starts then in_now end);
  insert into messages (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
  values (in_message_id, in_workspace_id, in_conversation_id, in_run_id, 'user', in_text,
    in_last_seq + 1, in_now);
  if starts then
    insert into messages
      (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
    values (in_answer_id, in_workspace_id, in_conversation_id, in_run_id, 'assistant', '',
      new_last_seq, in_now);
    insert into run_steps
      (id, workspace_id, run_id, number, kind, attempt, status, target, started_at)
    values (in_step_id, in_workspace_id, in_run_id, 1, 'model_call', 1, 'started', in_target, in_now);
  end if;
  insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
  select in_workspace_id, in_conversation_id, in_last_seq + new.number, new.id, in_run_id, new.type,
    in_now, new.data::json
  from unnest(in_event_ids, in_event_types, in_event_data)
    with ordinality as new (id, type, data, number);
  insert into audit_events
    (id, workspace_id, time, actor_id, via, action, object_id, object_name, result, request_id)
  values (in_audit_id, in_workspace_id, in_now, in_author_id, in_via, 'message.create',
    in_message_id, '', 'done', in_request_id);
  return true;
end $$;
