-- People, workspaces, model connections, agents, conversations, runs and the event log.
--
-- Tenant tables carry workspace_id, FORCE ROW LEVEL SECURITY and a policy for the role
-- agentarea_tenant, which every tenant transaction takes on. The role that migrates and serves
-- sees across workspaces only where sign-in and the run queue need it (policy "system").

do $$
begin
  create role agentarea_tenant nologin;
exception
  when duplicate_object or unique_violation then null;
end $$;

do $$
begin
  if not pg_has_role(current_user, 'agentarea_tenant', 'member') then
    execute format('grant agentarea_tenant to %I', current_user);
  end if;
end $$;

grant usage on schema public to agentarea_tenant;

create table users (
  id uuid primary key,
  email text not null,
  password_hash text not null,
  created_at timestamptz not null
);
create unique index users_email_key on users (lower(email));

create table workspaces (
  id uuid primary key,
  name text not null,
  created_at timestamptz not null
);

create table memberships (
  workspace_id uuid not null references workspaces on delete cascade,
  user_id uuid not null references users on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null,
  primary key (workspace_id, user_id)
);
create index memberships_user on memberships (user_id, created_at);

create table sessions (
  id uuid primary key,
  token_hash bytea not null,
  user_id uuid not null references users on delete cascade,
  workspace_id uuid not null references workspaces on delete cascade,
  created_at timestamptz not null,
  seen_at timestamptz not null
);
create unique index sessions_token_key on sessions (token_hash);

create table api_keys (
  id uuid primary key,
  workspace_id uuid not null,
  user_id uuid not null,
  name text not null,
  prefix text not null,
  secret_hash bytea not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null,
  foreign key (workspace_id, user_id) references memberships on delete cascade
);
create unique index api_keys_secret_key on api_keys (secret_hash);
create index api_keys_owner on api_keys (workspace_id, user_id, id desc);

-- Values sealed by the vault; see crates/store/src/vault.rs for the format.
create table secrets (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  version int not null,
  wrapped_key bytea not null,
  ciphertext bytea not null,
  created_at timestamptz not null,
  primary key (workspace_id, id)
);

create table model_connections (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null,
  kind text not null,
  base_url text,
  secret_id uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, secret_id) references secrets (workspace_id, id)
);
create unique index model_connections_name_key on model_connections (workspace_id, lower(name));

create table agents (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  version int not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  archived_at timestamptz,
  primary key (workspace_id, id)
);

create table agent_versions (
  workspace_id uuid not null,
  agent_id uuid not null,
  version int not null,
  config jsonb not null,
  author_id uuid not null references users,
  created_at timestamptz not null,
  primary key (workspace_id, agent_id, version),
  foreign key (workspace_id, agent_id) references agents on delete cascade
);

create table conversations (
  id uuid not null,
  workspace_id uuid not null references workspaces on delete cascade,
  agent_id uuid not null,
  title text not null,
  last_seq bigint not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, agent_id) references agents
);
create index conversations_recent on conversations (workspace_id, updated_at desc, id desc);

create table runs (
  id uuid not null,
  workspace_id uuid not null,
  conversation_id uuid not null,
  agent_id uuid not null,
  agent_version int not null,
  author_id uuid not null references users,
  message_id uuid not null,
  answer_id uuid not null,
  idempotency_key text,
  status text not null
    check (status in ('queued', 'running', 'waiting', 'completed', 'failed', 'cancelled')),
  attempt int not null,
  fence bigint not null,
  lease_owner uuid,
  lease_expires_at timestamptz,
  cancel_requested_at timestamptz,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_usd_micros bigint not null default 0,
  error jsonb,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (workspace_id, id),
  foreign key (workspace_id, conversation_id) references conversations on delete cascade
);
create index runs_of_conversation on runs (workspace_id, conversation_id, id desc);
create unique index runs_idempotency_key on runs (workspace_id, conversation_id, idempotency_key)
  where idempotency_key is not null;
-- One run at a time answers in a conversation.
create unique index runs_active_key on runs (conversation_id) where status in ('running', 'waiting');
-- Whether a conversation has a run that has not ended, however many have.
create index runs_open on runs (workspace_id, conversation_id, id)
  where status in ('queued', 'running', 'waiting');
create index runs_waiting_for_worker on runs (id) where status = 'queued';
create index runs_leased on runs (lease_expires_at) where status = 'running';
create index runs_running on runs (workspace_id) where status = 'running';

-- Messages, run_steps and events have no foreign keys: they are only written under the lock of their
-- conversation or the fence of their run, and checking seven keys for each message costs more than
-- writing it. Deleting a conversation deletes them by name.
create table messages (
  id uuid not null,
  workspace_id uuid not null,
  conversation_id uuid not null,
  run_id uuid not null,
  role text not null check (role in ('user', 'assistant')),
  -- Of an answer in progress empty: its text is in the log until the answer ends.
  text text not null,
  finish_reason text,
  -- seq of the message_created event.
  position bigint not null,
  created_at timestamptz not null,
  primary key (workspace_id, id)
);
create unique index messages_position_key on messages (workspace_id, conversation_id, position);

create table run_steps (
  id uuid not null,
  workspace_id uuid not null,
  run_id uuid not null,
  number int not null,
  kind text not null,
  attempt int not null,
  status text not null check (status in ('started', 'completed', 'failed', 'abandoned')),
  target text not null,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  error jsonb,
  started_at timestamptz not null,
  finished_at timestamptz,
  primary key (workspace_id, run_id, number)
);

create table events (
  workspace_id uuid not null,
  conversation_id uuid not null,
  seq bigint not null,
  id uuid not null,
  run_id uuid not null,
  type text not null,
  time timestamptz not null,
  -- json, not jsonb: kept byte for byte.
  data json not null,
  primary key (workspace_id, conversation_id, seq)
);

-- A write that is tried again after its answer got lost cannot append twice.
create unique index events_id_key on events (id);

-- First answers to POST requests with an Idempotency-Key, sealed by the vault.
create table idempotent_answers (
  workspace_id uuid not null references workspaces on delete cascade,
  path text not null,
  key text not null,
  body_hash bytea not null,
  status int,
  location text,
  wrapped_key bytea,
  ciphertext bytea,
  created_at timestamptz not null,
  primary key (workspace_id, path, key)
);
create index idempotent_answers_age on idempotent_answers (created_at);

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array[
    'memberships', 'api_keys', 'secrets', 'model_connections', 'agents', 'agent_versions',
    'conversations', 'runs', 'messages', 'run_steps', 'events', 'idempotent_answers'
  ] loop
    execute format('alter table %I enable row level security', tenant_table);
    execute format('alter table %I force row level security', tenant_table);
    execute format(
      'create policy tenant on %I to agentarea_tenant
         using (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)
         with check (workspace_id = nullif(current_setting(''app.workspace_id'', true), '''')::uuid)',
      tenant_table);
    execute format('grant select, insert, update, delete on %I to agentarea_tenant', tenant_table);
  end loop;
  -- Sign-in looks up keys and memberships before the workspace is known; the queue claims and
  -- sweeps runs of all workspaces; old answers are deleted for all.
  foreach tenant_table in array array['memberships', 'api_keys', 'runs', 'idempotent_answers'] loop
    execute format('create policy system on %I to current_user using (true) with check (true)', tenant_table);
  end loop;
end $$;

alter table workspaces enable row level security;
alter table workspaces force row level security;
create policy tenant on workspaces to agentarea_tenant
  using (id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy system on workspaces to current_user using (true) with check (true);
grant select, update on workspaces to agentarea_tenant;
grant select on users to agentarea_tenant;
