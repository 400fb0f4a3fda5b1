-- A run that has ended stays as it ended, whoever writes. The condition is part of the trigger, so
-- that nothing is called unless somebody tries.
create function refuse_new_end() returns trigger language plpgsql as $$
begin
  raise exception 'run % has ended as %', old.id, old.status using errcode = 'check_violation',
    constraint = 'runs_end_is_final';
end $$;
create trigger end_is_final before update of status on runs
  for each row
  when (old.status in ('completed', 'failed', 'cancelled') and new.status is distinct from old.status)
  execute function refuse_new_end();
