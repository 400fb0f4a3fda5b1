-- Writing a message, its run and their events is one function, so that it costs one round trip and
-- one commit before the first token.
--
-- With unless_changed it writes nothing and gives false if the conversation, its agent or the
-- agent's model connection is no longer as the caller remembers it, or if the run has no turn:
-- the caller may then call it without having looked, and without a transaction of its own.
create function create_run(
  in_workspace_id uuid, in_conversation_id uuid, in_last_seq bigint, in_title text,
  in_run_id uuid, in_agent_id uuid, in_agent_version int, in_author_id uuid,
  in_message_id uuid, in_answer_id uuid, in_idempotency_key text, in_text text,
  in_worker uuid, in_step_id uuid, in_target text, in_now timestamptz,
  in_event_ids uuid[], in_event_types text[], in_event_data text[],
  unless_changed boolean, in_connection_id uuid, in_connection_updated_at timestamptz,
  in_runs_per_workspace bigint
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
  return true;
end $$;

-- Both answer "which runs of this workspace run now"; one index does.
drop index runs_running;
drop index runs_active_key;
-- One run at a time answers in a conversation.
create unique index runs_active_key on runs (workspace_id, conversation_id)
  where status in ('running', 'waiting');

-- Only the enums of the program are ever written here; PostgreSQL reads and compiles such a check
-- anew for each statement.
alter table runs drop constraint runs_status_check;
alter table messages drop constraint messages_role_check;
alter table run_steps drop constraint run_steps_status_check;

-- A run is written under its conversation's lock, by a member; checking both keys, and locking the
-- author's row against all other runs of the same person, costs as much as writing the run.
-- Deleting a conversation deletes its runs by name.
alter table runs drop constraint runs_workspace_id_conversation_id_fkey;
alter table runs drop constraint runs_author_id_fkey;
