-- The words of an answer are told apart by the program that writes it: to_tsvector() took half of
-- the time that the end of a run takes. The trigger finds those of all other messages of the run.
create or replace function index_run_words() returns trigger language plpgsql as $$
begin
  insert into message_words (workspace_id, message_id, conversation_id, words)
  select m.workspace_id, m.id, m.conversation_id, words_of(m.text)
  from (
    select * from messages where workspace_id = new.workspace_id and run_id = new.id
    union all
    select * from messages where workspace_id = new.workspace_id and id = new.message_id
      and run_id <> new.id
  ) m
  where m.text <> '' and not exists (select from message_words w
    where w.workspace_id = m.workspace_id and w.message_id = m.id)
  on conflict (workspace_id, message_id) do nothing;
  return null;
end $$;

-- As before; in_words are the words of the open message, null if it is to be left to the trigger.
drop function end_run;
create function end_run(
  in_workspace_id uuid, in_conversation_id uuid, in_run_id uuid, in_fence bigint,
  in_status text, in_error jsonb, in_now timestamptz,
  in_input_tokens bigint, in_output_tokens bigint, in_cost_usd_micros bigint,
  in_cached_input_tokens bigint, in_cache_written_tokens bigint,
  in_event_ids uuid[], in_event_types text[], in_event_data text[],
  in_message_id uuid, in_completed int, in_finish_reason text, in_reasoning text, in_carry text,
  in_step_status text, in_step_target text,
  in_step_input_tokens bigint, in_step_output_tokens bigint, in_step_cost_usd_micros bigint,
  in_step_cached_input_tokens bigint, in_step_cache_written_tokens bigint, in_words text[]
) returns bigint language plpgsql as $$
declare
  new_last_seq bigint;
begin
  perform set_config('role', 'agentarea_tenant', true),
    set_config('app.workspace_id', in_workspace_id::text, true);

  with ended as (
    update runs set status = in_status, input_tokens = in_input_tokens,
      output_tokens = in_output_tokens, cost_usd_micros = in_cost_usd_micros,
      cached_input_tokens = in_cached_input_tokens, cache_written_tokens = in_cache_written_tokens,
      error = in_error, finished_at = in_now, lease_owner = null, lease_expires_at = null
    where workspace_id = in_workspace_id and id = in_run_id and fence = in_fence
      and status = 'running'
    returning agent_id, author_id
  ), log as (
    update conversations set last_seq = last_seq + cardinality(in_event_ids)
    where workspace_id = in_workspace_id and id = in_conversation_id and exists (select from ended)
    returning last_seq
  ), written as (
    insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
    select in_workspace_id, in_conversation_id,
      log.last_seq - cardinality(in_event_ids) + new.number, new.id, in_run_id, new.type, in_now,
      new.data::json
    from log, unnest(in_event_ids, in_event_types, in_event_data)
      with ordinality as new (id, type, data, number)
  ), message as (
    -- The text is sent once, in its event: it may be large.
    update messages set text = in_event_data[in_completed]::json->>'text',
      finish_reason = in_finish_reason, reasoning = in_reasoning, carry = in_carry
    where workspace_id = in_workspace_id and id = in_message_id and exists (select from ended)
  ), words as (
    -- Before the trigger on runs, which leaves out what is there.
    insert into message_words (workspace_id, message_id, conversation_id, words)
    select in_workspace_id, in_message_id, in_conversation_id, array_to_tsvector(in_words)
    from ended where in_words is not null
    on conflict (workspace_id, message_id) do nothing
  ), step as (
    update run_steps set status = in_step_status, input_tokens = in_step_input_tokens,
      output_tokens = in_step_output_tokens, cost_usd_micros = in_step_cost_usd_micros,
      cached_input_tokens = in_step_cached_input_tokens,
      cache_written_tokens = in_step_cache_written_tokens,
      error = in_error, finished_at = in_now, target = coalesce(in_step_target, target)
    where workspace_id = in_workspace_id and run_id = in_run_id and status = 'started'
      and in_message_id is not null and exists (select from ended)
    returning id, kind, target, started_at
  ), used as (
    insert into usage_entries
      (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error, input_tokens,
       output_tokens, cost_usd_micros, cached_input_tokens, cache_written_tokens, duration_ms)
    select step.id, in_workspace_id, in_now, in_run_id, ended.agent_id, ended.author_id, step.kind,
      step.target, in_step_status = 'failed', in_step_input_tokens, in_step_output_tokens,
      in_step_cost_usd_micros, in_step_cached_input_tokens, in_step_cache_written_tokens,
      extract(epoch from in_now - step.started_at) * 1000
    from step, ended
  )
  select last_seq into new_last_seq from log;
  return new_last_seq;
end $$;
