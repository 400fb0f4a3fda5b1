-- A person whose role was changed or whose membership was ended gets a new session token with the
-- next answer; the one before works a few seconds longer, for requests under way.

alter table sessions add column must_renew boolean not null default false;
alter table sessions add column former_hash bytea;
alter table sessions add column former_until timestamptz;
create index sessions_former on sessions (former_hash) where former_hash is not null;

-- Here, so that no way of changing a membership can forget it. Tenants cannot see sessions: the
-- function acts as its owner.
create function renew_sessions_of_member() returns trigger
language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  update sessions set must_renew = true where user_id = old.user_id and not must_renew;
  return null;
end $$;
create trigger role_changed after update of role on memberships
  for each row when (old.role is distinct from new.role)
  execute function renew_sessions_of_member();
create trigger membership_ended after delete on memberships
  for each row execute function renew_sessions_of_member();
