-- Workers claim one after another: a claim counts the running runs of a workspace, and what others
-- take at that moment must be among them. Each statement of a function sees what was committed before
-- it, so that counting begins when the lock is held; this costs no round trip.
create function claim_queued_runs(
  in_worker uuid, in_lease_seconds double precision, in_limit bigint, in_per_workspace bigint
) returns table (
  id uuid, workspace_id uuid, conversation_id uuid, agent_id uuid, agent_version int, author_id uuid,
  message_id uuid, answer_id uuid, attempt int, fence bigint, cancel_requested_at timestamptz
) language plpgsql as $$
#variable_conflict use_column
begin
  if not exists (select from runs where status = 'queued') then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('agentarea run queue'));
  -- Ids are made by several clocks, so that a run's id may be below that of the run before it.
  return query
  with queued as (
    select r.workspace_id, r.conversation_id, r.id, r.cancel_requested_at from runs r
    where r.status = 'queued' and not exists (
      select from runs before
      where before.workspace_id = r.workspace_id and before.id = r.parent_id
        and before.status in ('queued', 'running', 'waiting'))
  ), ready as (
    select workspace_id, id, cancel_requested_at, row_number() over (
      partition by workspace_id order by id) as place
    from queued
    where not exists (
      select from runs other
      where other.workspace_id = queued.workspace_id
        and other.conversation_id = queued.conversation_id
        and other.status in ('running', 'waiting'))
      and not exists (
        select from queued other
        where other.workspace_id = queued.workspace_id
          and other.conversation_id = queued.conversation_id and other.id < queued.id)
  ), busy as (
    select workspace_id, count(*) as runs from runs where status = 'running'
    group by workspace_id
  ), due as (
    select r.workspace_id, r.id from ready
    join runs r on r.workspace_id = ready.workspace_id and r.id = ready.id
    left join busy on busy.workspace_id = ready.workspace_id
    where r.status = 'queued'
      and (ready.place + coalesce(busy.runs, 0) <= in_per_workspace
           or ready.cancel_requested_at is not null)
    order by r.id limit in_limit
    for update of r skip locked
  )
  update runs set status = 'running', fence = runs.fence + 1, lease_owner = in_worker,
    lease_expires_at = now() + make_interval(secs => in_lease_seconds),
    started_at = coalesce(runs.started_at, now())
  from due where runs.workspace_id = due.workspace_id and runs.id = due.id
  returning runs.id, runs.workspace_id, runs.conversation_id, runs.agent_id, runs.agent_version,
    runs.author_id, runs.message_id, runs.answer_id, runs.attempt, runs.fence,
    runs.cancel_requested_at;
end $$;
