-- Appends what many runs said to the logs of their conversations, in one transaction and one round
-- trip. Run number i is in_runs[i], of workspace in_workspaces[i], held by fence in_fences[i]; event
-- number j is of run number in_owners[j], and a run's events stand in order. Gives the new end of
-- the log for each run that its fence still holds.
--
-- Whoever waits for a row holds all of them up, so nobody waits for long: the caller then appends
-- to each log alone.
create function append_texts(
  in_workspaces uuid[], in_runs uuid[], in_fences bigint[],
  in_owners bigint[], in_event_ids uuid[], in_event_types text[], in_event_data text[],
  in_now timestamptz
) returns table (run_number bigint, last_seq bigint) language plpgsql as $$
declare
  workspace uuid;
begin
  perform set_config('role', 'agentarea_tenant', true), set_config('lock_timeout', '250ms', true);
  for workspace in select distinct w from unnest(in_workspaces) as w order by w loop
    perform set_config('app.workspace_id', workspace::text, true);
    return query
    with held as (
      select runs.id, runs.conversation_id, wanted.number,
        (select count(*) from unnest(in_owners) as owner where owner = wanted.number) as size
      from unnest(in_workspaces, in_runs, in_fences)
        with ordinality as wanted (workspace_id, run_id, fence, number)
      join runs on runs.workspace_id = workspace and runs.id = wanted.run_id
        and runs.fence = wanted.fence and runs.status = 'running'
      where wanted.workspace_id = workspace
      order by runs.id
      for share of runs
    ), log as (
      update conversations c set last_seq = c.last_seq + held.size
      from held
      where c.workspace_id = workspace and c.id = held.conversation_id
      returning c.id, c.last_seq, held.id as run_id, held.number, held.size
    ), written as (
      insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
      select workspace, log.id,
        log.last_seq - log.size + row_number() over (partition by log.id order by new.number),
        new.id, log.run_id, new.type, in_now, new.data::json
      from log
      join unnest(in_owners, in_event_ids, in_event_types, in_event_data)
        with ordinality as new (owner, id, type, data, number) on new.owner = log.number
    )
    select log.number, log.last_seq from log;
  end loop;
end $$;
