-- Results of tools that are too long for models are kept whole, as files that their calls use.
create function count_artifact_uses() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    update files set uses = uses - 1 where workspace_id = old.workspace_id and id = old.artifact_id;
  else
    update files set uses = uses + 1 where workspace_id = new.workspace_id and id = new.artifact_id;
  end if;
  return null;
end $$;
create trigger count_artifact_uses after update of artifact_id on tool_calls
  for each row when (old.artifact_id is null and new.artifact_id is not null)
  execute function count_artifact_uses();
create trigger count_artifact_uses_no_more after delete on tool_calls
  for each row when (old.artifact_id is not null)
  execute function count_artifact_uses();
