-- Which master key the stored values are sealed with. The keys themselves are never here: a
-- fingerprint is a hash. Normally one row; during a rotation the old key's row stays until no value
-- refers to it, which the foreign keys below prove across all workspaces.
create table master_keys (
  fingerprint bytea primary key,
  -- The key that seals now.
  is_current boolean not null,
  created_at timestamptz not null default now()
);
create unique index master_keys_current on master_keys (is_current) where is_current;
grant select on master_keys to agentarea_tenant;

-- The key that wrapped_key is sealed with; null in rows of programs that did not know of this.
alter table secrets add column master_key bytea references master_keys;
alter table idempotent_answers add column master_key bytea references master_keys;
