-- A run that starts with its message counts the running runs of its workspace, but not those that
-- others start at the same moment. Close to the limit it now waits for them, and for workers that
-- claim runs (claim_queued_runs), before it counts: the function is a transaction of its own then,
-- so that the lock is held for no round trip. Far from the limit nothing waits.
drop function create_run;
create function create_run(
  in_workspace_id uuid, in_conversation_id uuid, in_last_seq bigint, in_title text,
  in_run_id uuid, in_parent_id uuid, in_agent_id uuid, in_agent_version int, in_author_id uuid,
  in_message_id uuid, in_answer_id uuid, in_idempotency_key text, in_text text,
  in_worker uuid, in_step_id uuid, in_target text, in_now timestamptz,
  in_event_ids uuid[], in_event_types text[], in_event_data text[],
  unless_changed boolean, in_connection_id uuid, in_connection_updated_at timestamptz,
  in_runs_per_workspace bigint, in_uncounted bigint,
  in_audit_id uuid, in_via text, in_request_id text
) returns boolean language plpgsql as $$
declare
  starts constant boolean := in_worker is not null;
  new_last_seq constant bigint := in_last_seq + cardinality(in_event_ids);
  running bigint;
begin
  perform set_config('role', 'agentarea_tenant', true),
    set_config('app.workspace_id', in_workspace_id::text, true);

  if unless_changed then
    select count(*) into running from runs r
    where r.workspace_id = in_workspace_id and r.status = 'running';
    if running + in_uncounted > in_runs_per_workspace then
      perform pg_advisory_xact_lock(hashtext('agentarea run queue'));
      select count(*) into running from runs r
      where r.workspace_id = in_workspace_id and r.status = 'running';
    end if;
    if running >= in_runs_per_workspace then
      return false;
    end if;
  end if;

  update conversations c set last_seq = new_last_seq, updated_at = in_now, head_run_id = in_run_id,
    title = case when c.title = '' then in_title else c.title end
  where c.workspace_id = in_workspace_id and c.id = in_conversation_id and c.last_seq = in_last_seq
    and (not unless_changed or (
      c.head_run_id is not distinct from in_parent_id
      and exists (select from agents a
        where a.workspace_id = in_workspace_id and a.id = c.agent_id
          and a.version = in_agent_version and a.archived_at is null)
      and exists (select from model_connections m
        where m.workspace_id = in_workspace_id and m.id = in_connection_id
          and m.updated_at = in_connection_updated_at)
      and not exists (select from runs r
        where r.workspace_id = in_workspace_id and r.conversation_id = in_conversation_id
          and r.status in ('queued', 'running', 'waiting'))));
  if not found then
    return false;
  end if;

  insert into runs
    (id, workspace_id, conversation_id, parent_id, agent_id, agent_version, author_id, message_id,
     answer_id, idempotency_key, status, attempt, fence, lease_owner, lease_expires_at, created_at,
     started_at)
  values
    (in_run_id, in_workspace_id, in_conversation_id, in_parent_id, in_agent_id, in_agent_version,
     in_author_id, in_message_id, in_answer_id, in_idempotency_key,
     case when starts then 'running' else 'queued' end, 1, case when starts then 1 else 0 end,
     in_worker, case when starts then now() + interval '10 seconds' end,
     in_now, case when starts then in_now end);
  if in_text is not null then
    insert into messages
      (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
    values (in_message_id, in_workspace_id, in_conversation_id, in_run_id, 'user', in_text,
      in_last_seq + 1, in_now);
  end if;
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
  values (in_audit_id, in_workspace_id, in_now, in_author_id, in_via,
    case when in_text is null then 'run.create' else 'message.create' end,
    case when in_text is null then in_run_id else in_message_id end, '', 'done', in_request_id);
  return true;
end $$;
