-- Calls of tools write two lines each, and looking for the workspace of every line was a third of
-- that work. Both tables are logs, written for a workspace whose session was checked a moment ago;
-- no workspace is ever deleted.
alter table audit_events drop constraint audit_events_workspace_id_fkey;
alter table usage_entries drop constraint usage_entries_workspace_id_fkey;

-- As before, but what is there is looked for only by an attempt after the first: being ready for it
-- made every line a quarter dearer.
drop function append_calls;
create function append_calls(
  in_workspace uuid, in_action text,
  in_ids uuid[], in_times timestamptz[], in_authors uuid[], in_signed_in text[],
  in_requests text[], in_audited boolean[], in_servers uuid[], in_tools text[], in_results text[],
  in_vias text[], in_server_names text[], in_errors boolean[], in_costs bigint[],
  in_durations bigint[], may_be_there boolean
) returns void language plpgsql as $$
begin
  perform set_config('role', 'agentarea_tenant', true),
    set_config('app.workspace_id', in_workspace::text, true);

  insert into audit_events
    (id, workspace_id, time, actor_id, via, action, object_id, object_name, result, request_id)
  select new.id, in_workspace, new.time, new.author_id, new.signed_in, in_action, new.server_id,
    new.tool, new.result, new.request_id
  from unnest(in_ids, in_times, in_authors, in_signed_in, in_requests, in_audited, in_servers,
      in_tools, in_results)
    as new (id, time, author_id, signed_in, request_id, is_audited, server_id, tool, result)
  where new.is_audited and not (may_be_there and exists (select from audit_events e
    where e.workspace_id = in_workspace and e.id = new.id));

  delete from call_reservations where workspace_id = in_workspace and call_id = any(in_ids);

  insert into usage_entries
    (id, workspace_id, time, author_id, kind, via, target, server, is_error,
     input_tokens, output_tokens, cost_usd_micros, duration_ms)
  select new.id, in_workspace, new.time, new.author_id, 'tool_call', new.via, new.tool, new.server,
    new.is_error, 0, 0, new.cost, new.duration
  from unnest(in_ids, in_times, in_authors, in_tools, in_vias, in_server_names, in_errors, in_costs,
      in_durations)
    as new (id, time, author_id, tool, via, server, is_error, cost, duration)
  where new.via is not null and not (may_be_there and exists (select from usage_entries e
    where e.workspace_id = in_workspace and e.id = new.id));
end $$;
